"""History of a training: scores of each epoch, and the weights that are kept."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

Epoch = Mapping[str, float]


@dataclass
class History:
    """Scores per epoch, and the weights that were kept.

    Attributes:
        epochs: scores of each epoch.
        start: scores of the weights that training began with, where these may be kept.
        best_epoch: number of the epoch whose weights are kept, from 0; -1 for the start.
        best_state: weights that are kept.
        start_competes: whether an epoch has to be better than the start to be kept.
        settled: scores of the weights that were kept in the end, where these are no epoch's.
        good: weights of the best epochs by their numbers, as many as were asked for.
    """

    epochs: list[Epoch] = field(default_factory=list)
    start: Epoch | None = None
    best_epoch: int = -1
    best_state: dict[str, torch.Tensor] = field(default_factory=dict)
    start_competes: bool = True
    settled: Epoch | None = None
    good: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)

    def kept(self) -> Epoch:
        """Return the scores of the weights that are kept."""
        if self.settled is not None:
            return self.settled
        if self.best_epoch >= 0:
            return self.epochs[self.best_epoch]
        nothing = {"val_macro_f1": -1.0, "val_loss": math.inf}
        return self.start if self.start and self.start_competes else nothing

    def is_better(self, judged: Epoch) -> bool:
        """Tell whether weights with these scores are better than those that are kept."""
        return _rank(judged) > _rank(self.kept())

    def keep_good(self, state: dict[str, torch.Tensor], most: int) -> None:
        """Keep the weights of the last epoch if it is one of the `most` best."""
        self.good[len(self.epochs) - 1] = state
        for number in self.best_first()[most:]:
            del self.good[number]

    def best_first(self) -> list[int]:
        """List the epochs in `good`, the best first; of equals the earlier one."""
        return sorted(self.good, key=lambda number: _rank(self.epochs[number]), reverse=True)

    def is_ahead(self, judged: Epoch) -> bool:
        """Tell whether macro-F1 is above that of all epochs; the start does not count."""
        return judged["val_macro_f1"] > max((e["val_macro_f1"] for e in self.epochs), default=-1.0)


def _rank(judged: Epoch) -> tuple[float, float]:
    return judged["val_macro_f1"], -judged["val_loss"]
