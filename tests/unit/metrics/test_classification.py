import warnings

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from thawline.metrics.classification import bootstrap_interval, rare_recall, score


def predictions(seed: int, num_rows: int, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(num_rows, num_classes)) * 3
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities.astype(np.float32), rng.integers(0, num_classes, num_rows)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 12))
def test_agrees_with_scikit_learn(seed: int, num_rows: int, num_classes: int) -> None:
    probabilities, labels = predictions(seed, num_rows, num_classes)
    predicted, classes = probabilities.argmax(axis=1), np.arange(num_classes)
    scores = score(probabilities, labels)
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=0
    )
    np.testing.assert_allclose(scores.precision, precision)
    np.testing.assert_allclose(scores.recall, recall)
    np.testing.assert_allclose(scores.f1, f1)
    np.testing.assert_array_equal(scores.support, support)
    np.testing.assert_array_equal(
        scores.confusion, reference.confusion_matrix(labels, predicted, labels=classes)
    )
    assert scores.accuracy == pytest.approx(reference.accuracy_score(labels, predicted))
    with warnings.catch_warnings():  # scikit-learn warns of predicted classes that never occur
        warnings.simplefilter("ignore")
        balanced = reference.balanced_accuracy_score(labels, predicted)
        macro_f1 = reference.f1_score(labels, predicted, average="macro", zero_division=0)
        nll = reference.log_loss(labels, probabilities, labels=classes)
    assert scores.balanced_accuracy == pytest.approx(balanced)
    assert scores.macro_f1 == pytest.approx(macro_f1)
    assert scores.nll == pytest.approx(nll, rel=1e-5)


def test_rare_recall_is_that_of_the_classes_with_the_fewest_training_rows() -> None:
    recall = np.array([0.9, 0.1, 0.5, 0.3, 0.0, 0.7, 0.8])
    support = np.array([5, 5, 5, 5, 0, 5, 5])  # class 4 is the rarest, but nothing shows its recall
    counts = np.array([50, 3, 50, 3, 1, 90, 70])
    assert rare_recall(recall, support, counts) == pytest.approx((0.1 + 0.3) / 2)
    assert rare_recall(recall[:2], support[:2], np.array([9, 9])) == 0.9


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [
        (np.empty((0, 3)), np.empty(0, np.int64)),
        (np.array([[0.5, 0.5]]), np.array([2])),
        (np.array([[0.5, 0.5]]), np.array([-1])),
        (np.array([[0.5, 0.5]]), np.array([0, 1])),
        (np.array([[3.0, -2.0]]), np.array([0])),
        (np.array([[np.nan, 1.0]]), np.array([0])),
    ],
)
def test_refuses_what_is_no_prediction(probabilities: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"probabilities|labels"):
        score(probabilities, labels)


def test_certain_and_wrong_stays_finite() -> None:
    assert score(np.array([[1.0, 0.0]], np.float32), np.array([1])).nll == pytest.approx(
        15.94, abs=0.01
    )


def test_interval_matches_a_bootstrap_that_draws_rows() -> None:
    correct = np.arange(400) < 350
    drawn = correct[np.random.default_rng(1).integers(0, 400, (4000, 400))].mean(axis=1)
    low, high = bootstrap_interval(correct, rng=np.random.default_rng(0))
    assert low == pytest.approx(np.quantile(drawn, 0.025), abs=0.0076)  # three rows
    assert high == pytest.approx(np.quantile(drawn, 0.975), abs=0.0076)  # three rows


def test_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    samples = rng.random((400, 300)) < 0.9
    intervals = [bootstrap_interval(sample, rng=rng) for sample in samples]
    assert 0.91 <= np.mean([low <= 0.9 <= high for low, high in intervals]) <= 0.98


def test_interval_is_a_function_of_the_rng() -> None:
    correct = np.arange(100) < 90
    first, second = (bootstrap_interval(correct, rng=np.random.default_rng(7)) for _ in range(2))
    assert first == second


def test_no_mistake_is_no_certainty() -> None:
    low, high = bootstrap_interval(np.ones(360, bool), rng=np.random.default_rng(0))
    assert (low, high) == (pytest.approx(0.9898, abs=1e-4), 1.0)
    assert bootstrap_interval(np.zeros(360, bool), rng=np.random.default_rng(0)) == (
        0.0,
        pytest.approx(1 - low),
    )
