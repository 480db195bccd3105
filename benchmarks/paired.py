"""The difference of two ways to train, on the same seeds and test rows."""

import numpy as np

_RESAMPLES = 10_000


def difference(one: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """Mean of one - other, and the 95 % interval of a bootstrap over seeds, then over rows.

    Args:
        one, other: whether the same test rows were right, bool (seeds, N).
    """
    paired = one.astype(np.float64) - other
    rng = np.random.default_rng(0)
    seeds, rows = paired.shape
    drawn = [
        paired[rng.integers(seeds, size=seeds)].mean(axis=0)[rng.integers(rows, size=rows)].mean()
        for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(paired.mean()), float(low), float(high)
