"""What a network's design changed in it, and which weights it left."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, kw_only=True)
class SurgeryRecord:
    """Attributes:
    changed: layers per option of `model.design`, under their names before that option.
    kept: parameters whose values are those of the network as its family has it, and their number.
    new: parameters that were initialised.
    """

    changed: dict[str, tuple[str, ...]]
    kept: tuple[str, ...]
    new: tuple[str, ...]
    num_kept: int
    num_new: int

    def summary(self) -> dict[str, str]:
        """Tags: layers changed per option, weights kept; empty for an untouched network."""
        if not self.changed:
            return {}
        layers = {f"design.{key}": f"{len(names)} layers" for key, names in self.changed.items()}
        total = self.num_kept + self.num_new
        return layers | {"design.weights_kept": f"{self.num_kept} of {total}"}


UNTOUCHED = SurgeryRecord(changed={}, kept=(), new=(), num_kept=0, num_new=0)


def attach(network: nn.Module, record: SurgeryRecord) -> None:
    """Let a network carry its record, as no part of its state."""
    network.__dict__["surgery"] = record


def record_of(network: nn.Module) -> SurgeryRecord:
    """What was changed in a network; UNTOUCHED when nothing was."""
    found: SurgeryRecord = network.__dict__.get("surgery", UNTOUCHED)
    return found
