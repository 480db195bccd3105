"""What a rebalancing strategy returns."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Positions among the training rows, and factors of the loss.

    Attributes:
        indices: int64 (M,), in [0, len(labels)), ascending, with repeats where rows count more.
        class_weights: float64 (num_classes,).
        targets: rows per class, int64 (num_classes,), to which synthetic features of the trunk
            fill up; None for none.
        reason: for a strategy that chooses: what it chose and why, one line; recorded, not stored.
    """

    indices: np.ndarray
    class_weights: np.ndarray
    targets: np.ndarray | None = None
    reason: str = ""

    @classmethod
    def unweighted(cls, indices: np.ndarray, num_classes: int, *, reason: str = "") -> "Plan":
        weights = np.ones(num_classes)
        return cls(indices=np.sort(indices), class_weights=weights, reason=reason)

    def corrects_twice(self) -> bool:
        """Rows are repeated and classes weighted as well: rare classes count twice over."""
        repeated = len(np.unique(self.indices)) < len(self.indices)
        return repeated and np.ptp(self.class_weights) > 0
