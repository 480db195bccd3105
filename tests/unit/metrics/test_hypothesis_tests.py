"""Two classifiers on the same rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils import check_random_state

from thawline.metrics.hypothesis_tests import PairedTest, compare, mcnemar, paired_interval


def both(ours: np.ndarray, theirs: np.ndarray, labels: np.ndarray, classes: int = 3) -> PairedTest:
    return compare(
        ours, theirs, labels, num_classes=classes, rng=np.random.default_rng(0),
        confidence=0.95, resamples=2000,
    )  # fmt: skip


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_exact_binomial_test(wins: int, losses: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert mcnemar(wins, losses) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_many_rows_is_no_overflow() -> None:
    assert mcnemar(50_000, 51_000) == pytest.approx(0.00166, rel=0.02)
    assert mcnemar(0, 5000) == 0.0


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 400))
def test_the_interval_holds_the_difference_and_mirrors(wins: int, losses: int, ties: int) -> None:
    number = max(1, wins + losses + ties)
    how = {"confidence": 0.9, "resamples": 4000}
    low, high = paired_interval(wins, losses, number, rng=np.random.default_rng(0), **how)
    other_low, other_high = paired_interval(
        losses, wins, number, rng=np.random.default_rng(1), **how
    )
    assert -1 <= low <= (wins - losses) / number <= high <= 1
    assert abs(low + other_high) < 0.15 / number**0.5 + 2 / number
    assert abs(high + other_low) < 0.15 / number**0.5 + 2 / number


def test_the_interval_is_that_of_resampled_rows() -> None:
    """Against drawing rows one by one, which takes longer."""
    signs = np.array([1] * 30 + [-1] * 20 + [0] * 250)
    draws = check_random_state(0).choice(signs, (4000, 300)).mean(axis=1)
    low, high = paired_interval(
        30, 20, 300, rng=np.random.default_rng(0), confidence=0.95, resamples=4000
    )
    assert (low, high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.006)


def test_models_that_never_differ_are_not_known_to_be_equal() -> None:
    labels = np.arange(300) % 3
    found = both(labels, labels, labels)
    assert found.difference == 0
    assert found.p_value == 1
    assert (found.low, found.high) == pytest.approx((-0.0122, 0.0122), abs=1e-4)


def test_recall_drops_of_a_single_row_are_chance() -> None:
    labels = np.array([0] * 10 + [1] * 10 + [2] * 10)
    ours, theirs = labels.copy(), labels.copy()
    ours[0], ours[10:12], theirs[20:23] = 1, 2, 0
    found = both(ours, theirs, labels, classes=4)
    assert found.recall_drop.tolist() == [0, 0.2, -0.3, 0]
    assert (found.wins, found.losses) == (3, 3)


def test_equal_seeds_give_equal_intervals_and_nonsense_is_refused() -> None:
    labels = np.arange(90) % 3
    ours = np.roll(labels, 1)
    ours[:60] = labels[:60]
    one, other = both(ours, labels, labels), both(ours, labels, labels)
    assert (one.low, one.high) == (other.low, other.high)
    with pytest.raises(ValueError, match="at least one row"):
        both(labels[:0], labels[:0], labels[:0])
    with pytest.raises(ValueError, match="expected predictions"):
        both(labels[:5], labels, labels)
