"""Intervals, temperature scaling and abstention."""

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.plots.drawn import predictions
from thawline.metrics import temperature
from thawline.metrics.calibration import reliability
from thawline.metrics.classification import negative_log_likelihood, score
from thawline.metrics.intervals import brier_scores, intervals
from thawline.metrics.selective_prediction import entropy, risk_coverage


def bounds(
    probabilities: np.ndarray, labels: np.ndarray, seed: int = 0, resamples: int = 500
) -> dict[str, tuple[float, float]]:
    rng = np.random.default_rng(seed)
    return intervals(probabilities, labels, rare=np.array([1]), rng=rng, resamples=resamples)


def test_intervals_hold_the_number_and_are_the_same_twice() -> None:
    probabilities, labels = predictions(1, 300, 4)
    scores = score(probabilities, labels)
    found = bounds(probabilities, labels)
    values = {
        "balanced_accuracy": scores.balanced_accuracy, "macro_f1": scores.macro_f1,
        "rare_recall": scores.recall[1], "nll": scores.nll,
        "brier": brier_scores(probabilities, labels).mean(),
    }  # fmt: skip
    assert set(found) == set(values)
    for name, value in values.items():
        low, high = found[name]
        assert low < value < high, name
    assert found == bounds(probabilities, labels)


@pytest.mark.slow
def test_drawing_cells_is_drawing_rows() -> None:
    """The interval of macro-F1 equals that of resampled rows, up to the resampling's own noise."""
    probabilities, labels = predictions(2, 200, 3)
    predicted = probabilities.argmax(axis=1)
    rng = np.random.default_rng(5)
    drawn = [rng.integers(0, 200, 200) for _ in range(1000)]
    by_rows = [reference.f1_score(labels[i], predicted[i], average="macro") for i in drawn]
    found = bounds(probabilities, labels, resamples=4000)["macro_f1"]
    np.testing.assert_allclose(found, np.quantile(by_rows, [0.025, 0.975]), atol=0.01)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities, labels = predictions(3, 100, 3)
    whole = bounds(probabilities, labels)
    monkeypatch.setattr("thawline.metrics.intervals._CELLS", 1000)
    # Both draws are streams of their own in neither case, so only the first is the same.
    assert bounds(probabilities, labels)["macro_f1"] == whole["macro_f1"]


def test_being_always_right_is_not_being_certain() -> None:
    labels = np.arange(40) % 4
    found = bounds(np.eye(4, dtype=np.float32)[labels], labels)
    assert found["macro_f1"] == pytest.approx((1 - 3.6 / 40, 1.0), abs=0.01)
    assert found["rare_recall"][0] < found["macro_f1"][0]


def test_the_brier_score_is_scikit_learns() -> None:
    probabilities, labels = predictions(4, 50, 3)
    expected = reference.brier_score_loss(labels, probabilities, scale_by_half=False)
    assert brier_scores(probabilities, labels).mean() == pytest.approx(expected, abs=1e-6)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from([0.25, 0.5, 2.0, 4.0]))
def test_the_temperature_undoes_a_wrong_sharpness(seed: int, factor: float) -> None:
    right, labels = predictions(seed, 400, 3, sharpness=1)
    wrong = temperature.scale(right, 1 / factor)
    ratio = temperature.fit(wrong, labels) / temperature.fit(right, labels)
    assert ratio == pytest.approx(factor, rel=0.02)


def test_scaling_changes_no_prediction_and_calibrates_other_rows() -> None:
    probabilities, labels = predictions(6, 4000, 5, sharpness=4)
    found = temperature.fit(probabilities[:2000], labels[:2000])
    before, truth = probabilities[2000:], labels[2000:]
    after = temperature.scale(before, found)
    assert found > 2
    assert (after.argmax(axis=1) == before.argmax(axis=1)).all()
    assert negative_log_likelihood(after, truth) < negative_log_likelihood(before, truth)
    assert reliability(after, truth).error < reliability(before, truth).error / 3


def test_a_network_that_is_always_right_gets_a_finite_temperature() -> None:
    labels = np.arange(6) % 3
    found = temperature.fit(np.eye(3, dtype=np.float32)[labels], labels)
    low, high = temperature.BOUNDS
    assert low <= found <= high


def test_few_rows_do_not_overrule_what_is_assumed() -> None:
    """Of rows that are all right the likelihood alone goes on to certainty."""
    labels = np.arange(2000) % 5
    said = np.full((2000, 5), 0.02, np.float32)
    said[np.arange(2000), labels] = 0.92
    few, many = (temperature.fit(said[:n], labels[:n], spread=0.5) for n in (20, 2000))
    assert temperature.fit(said[:20], labels[:20]) < 0.1 < many < few < 0.9


def test_many_rows_overrule_it() -> None:
    probabilities, labels = predictions(6, 4000, 5, sharpness=4)
    alone, assumed = (temperature.fit(probabilities, labels, spread=s) for s in (None, 0.5))
    assert assumed == pytest.approx(alone, rel=0.01)


def test_certain_answers_come_first() -> None:
    probabilities = np.array([[0.5, 0.5], [1.0, 0.0], [0.1, 0.9]], np.float32)
    found = risk_coverage(probabilities, np.array([1, 0, 1]))
    np.testing.assert_allclose(found.coverage, [1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(found.accuracy, [1, 1, 2 / 3])
    assert found.aurc == pytest.approx(1 / 9)
    assert found.at(0.0) == found.at(0.5) == 1
    assert found.at(1.0) == pytest.approx(2 / 3)


def test_entropy_is_zero_when_sure_and_largest_when_not() -> None:
    found = entropy(np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]], np.float32))
    np.testing.assert_allclose(found, [0, np.log(3)], atol=1e-6)
