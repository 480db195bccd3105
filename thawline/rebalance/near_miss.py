"""Keep those rows of the common classes that are nearest to the rarest class.

J. Zhang and I. Mani, 2003, "kNN approach to unbalanced data distributions: a case study involving
information extraction". Distances are between features of a pretrained trunk.
"""

from typing import Annotated, Literal

import numpy as np
from imblearn.under_sampling import NearMiss
from pydantic import Field

from thawline.rebalance._cleaning import kept, shrunk
from thawline.rebalance._plan import Plan


def plan(
    labels: np.ndarray,
    num_classes: int,
    *,
    rng: np.random.Generator,  # noqa: ARG001 - nothing is drawn
    features: np.ndarray,
    max_ratio: Annotated[float, Field(ge=1, le=1e6)] = 1.0,
    version: Literal[1, 2] = 1,
    num_neighbors: Annotated[int, Field(ge=1, le=1000)] = 3,
) -> Plan:
    """Shrink every class to max_ratio times the rarest's rows.

    Args:
        labels: class id per training row, int64 (N,), in [0, num_classes).
        num_classes: K.
        rng: not used.
        features: features of the training rows, float32 (N, D).
        max_ratio: class size / smallest class size, at least 1.
        version: 1 goes by the mean distance to the nearest num_neighbors rows of the rarest class,
            2 by that to the farthest.
        num_neighbors: rows of the rarest class, at most as many as it has.

    Returns:
        Plan with M <= N distinct sorted indices.
    """
    sizes = shrunk(labels, num_classes, max_ratio)
    if not sizes:
        return Plan.unweighted(np.arange(len(labels)), num_classes)
    rarest = int(np.bincount(labels)[np.unique(labels)].min())
    sampler = NearMiss(
        sampling_strategy=sizes, version=version, n_neighbors=min(num_neighbors, rarest)
    )
    return Plan.unweighted(kept(sampler, features, labels), num_classes)
