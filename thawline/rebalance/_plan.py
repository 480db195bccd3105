"""Result of a rebalancing strategy."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Plan of a strategy: positions among the training rows, and factors of the loss.

    Attributes:
        indices: positions, int64 (M,), in [0, len(labels)), ascending, with repeats where rows
            count more.
        class_weights: factors of the loss, float64 (num_classes,).
        targets: rows per class, int64 (num_classes,), up to which synthetic features of the trunk
            are added; None for none.
        reason: choice of a strategy that chooses, and why, one line; recorded, not stored.
    """

    indices: np.ndarray
    class_weights: np.ndarray
    targets: np.ndarray | None = None
    reason: str = ""

    @classmethod
    def unweighted(cls, indices: np.ndarray, num_classes: int, *, reason: str = "") -> "Plan":
        """Make a plan of positions alone, with class weights of 1."""
        weights = np.ones(num_classes)
        return cls(indices=np.sort(indices), class_weights=weights, reason=reason)

    def corrects_twice(self) -> bool:
        """Tell whether rows are repeated and classes weighted too: rare ones count twice over."""
        repeated = len(np.unique(self.indices)) < len(self.indices)
        return repeated and np.ptp(self.class_weights) > 0
