import numpy as np
import pytest
from scipy.optimize import minimize

from thawline.features.logme import logme


def log_evidence(features: np.ndarray, target: np.ndarray, alpha: float, beta: float) -> float:
    """Of one class per row, by its definition: the target is normal with mean zero."""
    count = len(target)
    covariance = np.eye(count) / beta + features @ features.T / alpha
    _, determinant = np.linalg.slogdet(covariance)
    distance = target @ np.linalg.solve(covariance, target)
    return float(-0.5 * (count * np.log(2 * np.pi) + determinant + distance)) / count


def largest(features: np.ndarray, target: np.ndarray) -> float:
    found = [
        minimize(
            lambda logs: -log_evidence(features, target, *np.exp(logs)), start, method="Nelder-Mead"
        ).fun
        for start in ([0.0, 0.0], [3.0, 1.0], [-2.0, 3.0])
    ]
    return -min(found)


def features_and_labels(rows: int, columns: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([rows, columns])
    labels = np.arange(rows) % 3
    features = rng.normal(size=(rows, columns)) * noise
    features[:, :2] += np.eye(3)[labels][:, :2]
    return features, labels


@pytest.mark.parametrize(
    ("rows", "columns", "noise"), [(30, 4, 0.5), (30, 4, 2.0), (40, 12, 1.0), (12, 30, 1.0)]
)
def test_it_is_the_largest_evidence(rows: int, columns: int, noise: float) -> None:
    features, labels = features_and_labels(rows, columns, noise)
    expected = np.mean([largest(features, (labels == k).astype(float)) for k in range(3)])
    assert logme(features, labels) == pytest.approx(expected, abs=2e-3)


def test_better_features_score_higher() -> None:
    scores = [logme(*features_and_labels(60, 5, noise)) for noise in (0.1, 0.5, 2.0)]
    assert scores == sorted(scores, reverse=True)


def test_a_scale_of_the_features_changes_nothing() -> None:
    features, labels = features_and_labels(40, 6, 0.5)
    assert logme(features * 100, labels) == pytest.approx(logme(features, labels), abs=1e-4)
    assert np.isfinite(logme(np.zeros((40, 3)), labels))
