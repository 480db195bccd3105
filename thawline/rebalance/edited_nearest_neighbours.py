"""Leave out rows of common classes that their nearest neighbours would classify otherwise.

D. Wilson, 1972, "Asymptotic properties of nearest neighbor rules using edited data". Distances are
between features of a pretrained trunk. Also finds mislabelled rows, and with them hard ones.
"""

from typing import Annotated, Literal

import numpy as np
from imblearn.under_sampling import EditedNearestNeighbours
from pydantic import Field

from thawline.rebalance._cleaning import kept, spared
from thawline.rebalance._plan import Plan


def plan(
    labels: np.ndarray,
    num_classes: int,
    *,
    rng: np.random.Generator,  # noqa: ARG001 - nothing is drawn
    features: np.ndarray,
    num_neighbors: Annotated[int, Field(ge=1, le=1000)] = 3,
    agreement: Literal["mode", "all"] = "mode",
    min_kept_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5,
) -> Plan:
    """Clean every class but the rarest.

    Args:
        labels: class id per training row, int64 (N,), in [0, num_classes).
        num_classes: K.
        rng: not used.
        features: features of the training rows, float32 (N, D).
        num_neighbors: neighbours that are asked.
        agreement: a row stays if most (mode) or all of its neighbours have its label.
        min_kept_ratio: a class of which a smaller share would remain stays whole.

    Returns:
        Plan with M <= N distinct sorted indices, and how many rows it leaves out.
    """
    sampler = EditedNearestNeighbours(
        sampling_strategy="not minority",
        n_neighbors=min(num_neighbors, len(labels) - 1),
        kind_sel=agreement,
    )
    positions = kept(sampler, features, labels)
    indices, reason = spared(positions, labels, num_classes, min_kept_ratio)
    return Plan.unweighted(indices, num_classes, reason=reason)
