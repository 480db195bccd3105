"""Repeat rows of the rare classes."""

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
    target_ratio: Annotated[float, Field(gt=0, le=1)] = 1.0,
) -> Plan:
    """Repeat minority rows until each class reaches target_ratio of the largest.

    Keeps every original row; equal labels, options and rng state give equal output.

    Args:
        labels: class id per training row, int64 (N,), in [0, num_classes).
        num_classes: K.
        rng: the only source of randomness.
        target_ratio: class size / largest class size, in (0, 1].

    Returns:
        Plan with M >= N sorted indices.
    """
    counts = np.bincount(labels, minlength=num_classes)
    wanted = int(np.ceil(target_ratio * counts.max()))
    indices = resample(labels, np.maximum(counts, wanted), rng=rng)
    return Plan.unweighted(indices, num_classes)
