"""Leave out rows of common classes in Tomek links: two rows of two classes, each other's nearest.

I. Tomek, 1976, "Two modifications of CNN". Distances are between features of a pretrained trunk.
Cleans the borders; the classes stay about as unequal as they were.
"""

from typing import Annotated

import numpy as np
from imblearn.under_sampling import TomekLinks
from pydantic import Field

from thawline.rebalance._cleaning import kept, spared
from thawline.rebalance._plan import Plan


def plan(
    labels: np.ndarray,
    num_classes: int,
    *,
    rng: np.random.Generator,  # noqa: ARG001 - nothing is drawn
    features: np.ndarray,
    min_kept_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5,
) -> Plan:
    """Clean every class but the rarest.

    Args:
        labels: class id per training row, int64 (N,), in [0, num_classes).
        num_classes: K.
        rng: not used.
        features: features of the training rows, float32 (N, D).
        min_kept_ratio: a class of which a smaller share would remain stays whole.

    Returns:
        Plan with M <= N distinct sorted indices, and how many rows it leaves out.
    """
    positions = kept(TomekLinks(sampling_strategy="not minority"), features, labels)
    indices, reason = spared(positions, labels, num_classes, min_kept_ratio)
    return Plan.unweighted(indices, num_classes, reason=reason)
