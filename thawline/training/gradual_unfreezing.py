"""Unfreeze gradually: one block more every few epochs, from the head towards the input.

Source: J. Howard and S. Ruder, 2018, "Universal language model fine-tuning for text
classification", section 3.3.
"""

from dataclasses import replace

from thawline.models.network import Network
from thawline.training.freezing import Frozen


class Thawing:
    """Schedule of the blocks that train in an epoch, of those that train in the end.

    A block that still waits has no gradients, so the optimiser neither moves it nor keeps state
    for it, while what trains already goes on with the state it has.
    """

    def __init__(self, network: Network, frozen: Frozen, every: int) -> None:
        """Read the blocks that train.

        Args:
            network: network after `freeze`, or the part of it behind the cut.
            frozen: result of `freeze` for the same part.
            every: epochs from one block to the next; 0 trains everything from the first epoch.
        """
        self._frozen, self._every = frozen, every
        self._parameters = [[p for p in block.parameters() if p.requires_grad] for block in network]
        self._body = [i for i, parameters in enumerate(self._parameters[:-1]) if parameters]

    def start(self, epoch: int) -> Frozen:
        """Unfreeze what an epoch trains; batch-norm statistics wait with their block."""
        waiting = set(self._waiting(epoch))
        for index, parameters in enumerate(self._parameters):
            for parameter in parameters:
                parameter.requires_grad_(index not in waiting)
        return replace(self._frozen, trained=self._frozen.trained - waiting)

    def thaws(self, epoch: int) -> bool:
        """Tell whether a block begins to train in this epoch."""
        return epoch > 0 and len(self._waiting(epoch)) < len(self._waiting(epoch - 1))

    def _waiting(self, epoch: int) -> list[int]:
        if not self._every:
            return []
        return self._body[: max(0, len(self._body) - epoch // self._every)]
