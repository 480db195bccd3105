"""Record what a network's design changed in it, and which weights it left."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, kw_only=True)
class SurgeryRecord:
    """Record of the changes that a design made to a network.

    Attributes:
        changed: layers per option of `model.design`, under their names before that option.
        kept: names of parameters whose values are those of the family's own network.
        new: names of parameters that were initialised anew.
        num_kept, num_new: numbers of values in them.
    """

    changed: dict[str, tuple[str, ...]]
    kept: tuple[str, ...]
    new: tuple[str, ...]
    num_kept: int
    num_new: int

    def summary(self) -> dict[str, str]:
        """Return tags: layers changed per option, weights kept; none for an untouched network."""
        if not self.changed:
            return {}
        layers = {f"design.{key}": f"{len(names)} layers" for key, names in self.changed.items()}
        total = self.num_kept + self.num_new
        return layers | {"design.weights_kept": f"{self.num_kept} of {total}"}


UNTOUCHED = SurgeryRecord(changed={}, kept=(), new=(), num_kept=0, num_new=0)


def attach(network: nn.Module, record: SurgeryRecord) -> None:
    """Attach a record to a network, outside of its state."""
    network.__dict__["surgery"] = record


def record_of(network: nn.Module) -> SurgeryRecord:
    """Return the record of a network; UNTOUCHED where nothing was changed."""
    found: SurgeryRecord = network.__dict__.get("surgery", UNTOUCHED)
    return found
