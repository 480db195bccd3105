import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.plots.drawn import predictions
from thawline.metrics.classification import score
from thawline.metrics.ranking import rank


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(20, 60), st.integers(3, 7))
def test_top_k_and_kappa_agree_with_scikit_learn(seed: int, rows: int, classes: int) -> None:
    probabilities, labels = predictions(seed, rows, classes)
    found = rank(probabilities, labels)
    assert set(found.top) == {k for k in (2, 3, 4, 5) if k < classes}
    for k, share in found.top.items():
        expected = reference.top_k_accuracy_score(
            labels, probabilities, k=k, labels=np.arange(classes)
        )
        assert share == pytest.approx(expected)
    kappa = reference.cohen_kappa_score(labels, probabilities.argmax(axis=1))
    assert score(probabilities, labels).kappa == pytest.approx(kappa)


def test_a_perfect_network_ranks_perfectly() -> None:
    labels = np.array([0, 1, 2, 2])
    found = rank(np.eye(3, dtype=np.float32)[labels] * 0.97 + 0.01, labels)
    assert found.headline() == {
        "top_2_accuracy": 1.0, "macro_roc_auc": 1.0, "macro_average_precision": 1.0,
    }  # fmt: skip


def test_of_equal_probabilities_the_lower_class_comes_first() -> None:
    found = rank(np.full((2, 4), 0.25, np.float32), np.array([1, 2]))
    assert found.top == {2: 0.5, 3: 1.0}


def test_a_class_that_does_not_occur_has_no_area() -> None:
    probabilities, _ = predictions(0, 6, 3)
    found = rank(probabilities, np.array([0, 0, 1, 1, 0, 1]))
    assert np.isnan(found.roc_auc).tolist() == [False, False, True]
    assert np.isfinite(found.headline()["macro_roc_auc"])


def test_of_one_class_alone_no_area_is_claimed() -> None:
    probabilities, _ = predictions(0, 4, 2)
    assert rank(probabilities, np.zeros(4, np.int64)).headline() == {}
