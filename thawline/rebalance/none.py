"""Keep the training rows as they are, each once."""

import numpy as np

from thawline.rebalance._plan import Plan


def plan(labels: np.ndarray, num_classes: int, *, rng: np.random.Generator) -> Plan:  # noqa: ARG001
    """Keep all rows."""
    return Plan.unweighted(np.arange(len(labels)), num_classes)
