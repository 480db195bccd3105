"""Test several hypotheses together, so that the family-wise error holds.

Source: S. Holm, 1979, "A simple sequentially rejective multiple test procedure".
"""

from collections.abc import Sequence

import numpy as np


def adjust(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values after Holm; one of at most the level is a rejection."""
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(np.argsort(p_values, kind="stable")):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = least
    return adjusted


def levels(p_values: Sequence[float], level: float) -> list[float]:
    """Compute the level at which each hypothesis is tested; after one that stands it stays."""
    found, current = [0.0] * len(p_values), 0.0
    rejecting = True
    for rank, at in enumerate(np.argsort(p_values, kind="stable")):
        if rejecting:
            current = level / (len(p_values) - rank)
            rejecting = p_values[at] <= current
        found[at] = current
    return found
