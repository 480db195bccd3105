"""Pareto front of several costs."""

import numpy as np
from numpy.typing import NDArray


def non_dominated(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which points no other one beats; of equal points none beats the other.

    Args:
        costs: float64 (N, D), less is better in each.

    Returns:
        bool (N,).
    """
    no_worse = (costs[:, None] <= costs[None]).all(axis=-1)
    better = (costs[:, None] < costs[None]).any(axis=-1)
    found: NDArray[np.bool_] = ~np.any(no_worse & better, axis=0, keepdims=True)[0]
    return found
