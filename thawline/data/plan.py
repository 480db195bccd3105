"""What a rebalancing strategy returns."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Positions among the training rows, and factors of the loss.

    Attributes:
        indices: int64 (M,), in [0, len(labels)), ascending, with repeats where rows count more.
        class_weights: float64 (num_classes,).
    """

    indices: np.ndarray
    class_weights: np.ndarray

    @classmethod
    def unweighted(cls, indices: np.ndarray, num_classes: int) -> "Plan":
        return cls(indices=np.sort(indices), class_weights=np.ones(num_classes))
