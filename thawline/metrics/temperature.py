"""Calibrate probabilities by temperature scaling: one number, which changes no prediction.

Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, 2017, "On calibration of modern neural networks",
section 4.2. It is fitted on validation rows; the test rows only say whether it helped.
"""

import numpy as np

from thawline.metrics.classification import Floats, Ints, check

BOUNDS = (0.05, 20.0)
"""Range of the temperature: with every validation row right the best one would be 0."""


SPREAD = 0.5
"""Standard deviation of log T around 0 that is assumed before a row is seen, for networks whose
training calibrates them. By 21 photographs, all of them right, the likelihood alone made T 0.08,
which raised the negative log-likelihood of 49 others from 0.09 to 0.34; this makes T 0.5, and for
300 rows the same as without."""


def fit(probabilities: Floats, labels: Ints, *, spread: float | None = None) -> float:
    """Fit the temperature by the likelihood of the rows; above 1 the network is overconfident.

    Args:
        probabilities: predictions of validation rows, float32 (N, K), rows summing to 1.
        labels: int64 (N,), in [0, K).
        spread: standard deviation of log T around 0 that is assumed beforehand, which few rows do
            not overrule; None: the rows alone decide.

    Raises:
        ValueError: see `classification.score`.
    """
    from scipy.optimize import minimize_scalar

    check(probabilities, labels)
    logits = _logits(probabilities)
    rows = np.arange(len(labels))

    def loss(sharpness: float) -> float:
        # Convex in 1 / T, which is therefore what is searched.
        scaled = logits * sharpness
        peak = scaled.max(axis=1)
        total = np.log(np.exp(scaled - peak[:, None]).sum(axis=1)) + peak
        assumed = 0.0 if spread is None else np.square(np.log(sharpness) / spread) / 2
        return float(((total - scaled[rows, labels]).sum() + assumed) / len(rows))

    low, high = BOUNDS
    return 1 / float(minimize_scalar(loss, bounds=(1 / high, 1 / low), method="bounded").x)


def scale(probabilities: Floats, temperature: float) -> Floats:
    """Return softmax(log p / T), float32 (N, K): the same as dividing the logits by T."""
    scaled = _logits(probabilities) / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    found: Floats = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def _logits(probabilities: Floats) -> Floats:
    logits: Floats = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))
    return logits
