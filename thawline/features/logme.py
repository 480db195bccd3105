"""Score how well features explain labels, without training on them (LogME).

Source: K. You et al., 2021, "LogME: practical assessment of pre-trained models for transfer
learning", section 4: the evidence of a Bayesian linear model, maximised over both precisions.
"""

import numpy as np

_ITERATIONS = 200
_TOLERANCE = 1e-6
_TINY = 1e-12


def logme(features: np.ndarray, labels: np.ndarray) -> float:
    """Compute the largest log evidence per row of a label given the features, class by class.

    The result is the mean over the classes.

    Comparable between features of the same rows only; higher is better.

    Args:
        features: float64 (N, D).
        labels: int64 (N,), at least two classes.
    """
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    evidences = []
    for k in np.unique(labels):
        target = (labels == k).astype(np.float64)
        evidences.append(_largest_evidence(left.T @ target, singular**2, target, features.shape[1]))
    return float(np.mean(evidences))


def _largest_evidence(
    projected: np.ndarray, sigma: np.ndarray, target: np.ndarray, num_features: int
) -> float:
    """Maximise the log evidence per row of one class, by fixed-point iteration.

    `projected` is the target in the basis of the left singular vectors, (min(N, D),); `sigma` are
    the squared singular values, (min(N, D),).
    """
    num_rows = len(target)
    outside = max(float(target @ target - projected @ projected), 0.0)
    alpha = beta = 1.0
    for _ in range(_ITERATIONS):
        ratio = alpha / beta
        gamma = (sigma / (sigma + ratio)).sum()
        weights, residual = _fit(projected, sigma, ratio, outside)
        alpha = (gamma + _TINY) / (weights + _TINY)
        beta = (num_rows - gamma) / (residual + _TINY)
        if abs(alpha / beta - ratio) <= _TOLERANCE * ratio:
            break
    weights, residual = _fit(projected, sigma, alpha / beta, outside)
    free = num_features - len(sigma)
    return float(
        num_features * np.log(alpha)
        - np.log(alpha + beta * sigma).sum()
        - free * np.log(alpha)
        + num_rows * np.log(beta / (2 * np.pi))
        - beta * residual
        - alpha * weights
    ) / (2 * num_rows)


def _fit(
    projected: np.ndarray, sigma: np.ndarray, ratio: float, outside: float
) -> tuple[float, float]:
    """Compute the squared norms of the mean weights and of what they leave unexplained."""
    weights = (sigma * projected**2 / (sigma + ratio) ** 2).sum()
    residual = (projected**2 * (ratio / (sigma + ratio)) ** 2).sum() + outside
    return float(weights), float(residual)
