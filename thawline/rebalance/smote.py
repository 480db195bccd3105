"""Ask for synthetic features of the rare classes, for the head alone.

N. Chawla et al., 2002, "SMOTE: synthetic minority over-sampling technique". A mean of two pictures
is no picture, a mean of two feature vectors makes sense. So this strategy
only names the sizes, and `transfer_learn` interpolates the features that it computes anyway with
`trainable: head`. `fine_tune` trains on images, so on the rows as they are.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from thawline.rebalance._plan import Plan


def plan(
    labels: np.ndarray,
    num_classes: int,
    *,
    rng: np.random.Generator,  # noqa: ARG001 - drawn where the features are
    target_ratio: Annotated[float, Field(gt=0, le=1)] = 1.0,
) -> Plan:
    """Keep every row once, and set targets for each class: target_ratio of the largest.

    Args:
        labels: class id per training row, int64 (N,), in [0, num_classes).
        num_classes: K.
        rng: not used: the features are drawn in training.
        target_ratio: class size / largest class size, in (0, 1].

    Returns:
        Plan whose `targets` are the sizes.
    """
    counts = np.bincount(labels, minlength=num_classes)
    wanted = int(np.ceil(target_ratio * counts.max()))
    return Plan(
        indices=np.arange(len(labels)),
        class_weights=np.ones(num_classes),
        targets=np.where(counts > 0, np.maximum(counts, wanted), 0),
    )
