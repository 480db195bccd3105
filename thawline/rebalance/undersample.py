"""Leave out rows of the common classes."""

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
    max_ratio: Annotated[float, Field(ge=1, le=1e6)] = 1.0,
) -> Plan:
    """Leave out rows at random until no class has more than max_ratio times the rarest's rows.

    Args:
        labels: class id per training row, int64 (N,), in [0, num_classes).
        num_classes: K.
        rng: the only source of randomness.
        max_ratio: class size / smallest class size, at least 1.

    Returns:
        Plan with M <= N distinct sorted indices.
    """
    counts = np.bincount(labels, minlength=num_classes)
    most = int(max_ratio * counts[counts > 0].min())
    indices = resample(labels, np.minimum(counts, most), rng=rng)
    return Plan.unweighted(indices, num_classes)
