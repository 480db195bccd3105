"""The interval of a difference between two ways to train."""

import numpy as np
import pytest

from benchmarks.paired import difference


def test_equal_choices_do_not_differ() -> None:
    right = np.random.default_rng(0).random((5, 200)) < 0.9
    assert difference(right, right) == (0.0, 0.0, 0.0)


def test_the_interval_is_around_the_mean_and_covers_seeds() -> None:
    rng = np.random.default_rng(0)
    fixed = rng.random((5, 1000)) < 0.9
    auto = fixed.copy()
    auto[0, :300] = False  # one bad seed of five
    mean, low, high = difference(auto, fixed)
    assert low < mean < high
    assert mean == pytest.approx(auto.mean() - fixed.mean())
    # With rows alone the interval would be a tenth as wide.
    assert high == pytest.approx(0, abs=0.005)
    assert low < 2 * mean
