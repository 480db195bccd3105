"""Bring every class to one size: repeat rows of rare classes, leave out rows of common ones."""

from typing import Annotated

import numpy as np
from pydantic import Field

from thawline.rebalance._plan import Plan
from thawline.rebalance._resampling import resample


def plan(
    labels: np.ndarray,
    num_classes: int,
    *,
    rng: np.random.Generator,
    rows_per_class: Annotated[int, Field(ge=0, le=1_000_000)] = 0,
) -> Plan:
    """Over- and undersample towards one size between the rarest and the commonest class.

    The default, the mean size, keeps an epoch as long as it was: less repetition than
    oversampling, less waste than undersampling.

    Args:
        labels: class id per training row, int64 (N,), in [0, num_classes).
        num_classes: K.
        rng: the only source of randomness.
        rows_per_class: rows of each class; 0: the mean. A number below the rarest or above the
            commonest class is taken as theirs.

    Returns:
        Plan with sorted indices: rows of larger classes at most once, all rows of smaller ones.
    """
    counts = np.bincount(labels, minlength=num_classes)
    present = counts[counts > 0]
    wanted = rows_per_class or round(float(present.mean()))
    sizes = np.full(num_classes, np.clip(wanted, present.min(), present.max()))
    return Plan.unweighted(resample(labels, sizes, rng=rng), num_classes)
