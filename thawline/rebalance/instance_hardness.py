"""Shrink the common classes by the rows that a simple classifier is least sure of.

M. Smith, T. Martinez and C. Giraud-Carrier, 2014, "An instance level analysis of data complexity".
The classifier is a logistic regression on standardised features of a pretrained trunk,
cross-validated and strongly regularised: a surer one gives 1.0 to so many rows that ties decide.
"""

from typing import Annotated

import numpy as np
from imblearn.under_sampling import InstanceHardnessThreshold
from pydantic import Field
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from thawline.rebalance._cleaning import kept, shrunk
from thawline.rebalance._plan import Plan


def plan(
    labels: np.ndarray,
    num_classes: int,
    *,
    rng: np.random.Generator,
    features: np.ndarray,
    max_ratio: Annotated[float, Field(ge=1, le=1e6)] = 5.0,
    num_folds: Annotated[int, Field(ge=2, le=20)] = 5,
) -> Plan:
    """Shrink every class to about max_ratio times the rarest's rows; ties are kept.

    A class with a single row stays and takes no part: it cannot be cross-validated.

    Args:
        labels: class id per training row, int64 (N,), in [0, num_classes).
        num_classes: K.
        rng: draws the folds.
        features: features of the training rows, float32 (N, D).
        max_ratio: class size / smallest class size, at least 1.
        num_folds: at most the rows of the smallest class that takes part.

    Returns:
        Plan with M <= N distinct sorted indices.
    """
    counts = np.bincount(labels, minlength=num_classes)
    part = np.flatnonzero(counts[labels] > 1)
    sizes = shrunk(labels, num_classes, max_ratio)
    if len(np.unique(labels[part])) < 2 or not sizes:
        return Plan.unweighted(np.arange(len(labels)), num_classes)
    # imbalanced-learn takes a label as the column of its probability: no gaps allowed.
    present, dense = np.unique(labels[part], return_inverse=True)
    sampler = InstanceHardnessThreshold(
        estimator=make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)),
        sampling_strategy={i: sizes[k] for i, k in enumerate(present.tolist()) if k in sizes},
        random_state=int(rng.integers(2**31)),
        cv=min(num_folds, int(counts[present].min())),
    )
    remaining = part[kept(sampler, features[part], dense)]
    alone = np.flatnonzero(counts[labels] == 1)
    return Plan.unweighted(np.concatenate([remaining, alone]), num_classes)
