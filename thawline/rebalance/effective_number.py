"""Weight the loss of each class by the inverse of its effective number of rows.

Every row counts once. Source: Cui, Jia, Lin, Song and Belongie, 2019, "Class-balanced loss based on
effective number of samples", equation 2: rows overlap in what they show, so the n-th row of a class
adds less than the first.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from thawline.rebalance._plan import Plan


def plan(
    labels: np.ndarray,
    num_classes: int,
    *,
    rng: np.random.Generator,  # noqa: ARG001
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.999,
) -> Plan:
    """Weight classes by (1 - beta) / (1 - beta ** N_k), scaled to a mean over the rows of 1.

    Args:
        labels: class id per training row, int64 (N,), each of num_classes at least once.
        num_classes: K.
        rng: not used.
        beta: overlap of rows, in [0, 1). With 0 all weights are equal, towards 1 they become
            inverse frequencies; a class counts as at most 1 / (1 - beta) rows.
    """
    counts = np.bincount(labels, minlength=num_classes)
    weights = (1 - beta) / (1 - np.power(beta, counts.astype(np.float64)))
    weights *= len(labels) / (weights * counts).sum()
    return Plan(indices=np.arange(len(labels)), class_weights=weights)
