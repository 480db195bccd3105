import numpy as np
import pytest

from thawline.metrics.calibration import reliability


def by_definition(probabilities: np.ndarray, labels: np.ndarray, num_bins: int) -> float:
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    error = 0.0
    for m in range(num_bins):
        inside = (confidence > m / num_bins) & (confidence <= (m + 1) / num_bins)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


@pytest.mark.parametrize("num_bins", [1, 2, 15, 100])
def test_error_is_the_papers_sum(num_bins: int) -> None:
    rng = np.random.default_rng(num_bins)
    probabilities = rng.dirichlet(np.full(5, 0.4), size=500)
    labels = rng.integers(0, 5, 500)
    table = reliability(probabilities, labels, num_bins=num_bins)
    assert table.count.sum() == 500
    assert table.error == pytest.approx(by_definition(probabilities, labels, num_bins))


def test_calibrated_predictions_have_a_small_error_and_overconfident_ones_a_large_one() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 20_000)
    labels = (rng.random(20_000) > sure).astype(np.int64)
    assert reliability(np.stack([sure, 1 - sure], axis=1), labels).error < 0.02
    certain = np.tile(np.array([[0.999, 0.001]], np.float32), (20_000, 1))
    assert reliability(certain, labels).error == pytest.approx(
        0.999 - np.mean(labels == 0), abs=1e-3
    )


def test_certainty_falls_into_the_last_bin_and_empty_bins_have_no_mean() -> None:
    table = reliability(np.array([[1.0, 0.0]], np.float32), np.array([0]))
    assert table.count.tolist() == [0] * 14 + [1]
    assert table.rows()[0]["accuracy"] is None
    assert table.rows()[-1]["accuracy"] == 1.0
    assert table.error == 0.0


def test_zero_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="num_bins"):
        reliability(np.array([[0.5, 0.5]]), np.array([0]), num_bins=0)
