"""Predictions drawn at random, for tests of scores."""

import numpy as np


def predictions(
    seed: int, num_rows: int, num_classes: int, *, skill: float = 1.0, sharpness: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, float32 (N, K), and labels, int64 (N,).

    Args:
        skill: by how much the logit of the true class is higher.
        sharpness: factor of the logits; the labels do not depend on it.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, num_rows)
    logits = rng.normal(size=(num_rows, num_classes))
    logits[np.arange(num_rows), labels] += skill
    raised = np.exp(sharpness * logits)
    return (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32), labels
