"""Weight the loss of each class by the inverse of its frequency; every row counts once."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from thawline.rebalance._plan import Plan


def plan(labels: np.ndarray, num_classes: int, *, rng: np.random.Generator) -> Plan:  # noqa: ARG001
    """Weight classes by N / (K * N_k), scikit-learn's `balanced`; the mean over the rows is 1."""
    weights = compute_class_weight("balanced", classes=np.arange(num_classes), y=labels)
    return Plan(indices=np.arange(len(labels)), class_weights=np.asarray(weights, dtype=np.float64))
