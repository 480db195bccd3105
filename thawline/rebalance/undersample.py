"""Leave out rows of the common classes."""

from typing import Annotated

import numpy as np
from imblearn.under_sampling import RandomUnderSampler
from pydantic import Field

from thawline.data.plan import Plan


def plan(
    labels: np.ndarray,
    num_classes: int,
    *,
    rng: np.random.Generator,
    max_ratio: Annotated[float, Field(ge=1, le=1e6)] = 1.0,
) -> Plan:
    """Draw, without replacement, until no class has more than max_ratio times the rarest's rows.

    Args:
        labels: class id per training row, int64 (N,), in [0, num_classes).
        rng: the only source of randomness.
        max_ratio: class size / smallest class size, at least 1.

    Returns:
        Plan with M <= N distinct sorted indices.
    """
    counts = np.bincount(labels, minlength=num_classes)
    most = int(max_ratio * counts[counts > 0].min())
    sampler = RandomUnderSampler(
        sampling_strategy={k: min(most, int(n)) for k, n in enumerate(counts) if n},
        random_state=int(rng.integers(2**31)),
    )
    sampler.fit_resample(np.arange(len(labels))[:, None], labels)
    return Plan.unweighted(sampler.sample_indices_, num_classes)
