import numpy as np
import pytest

from thawline.training import linear_probe


def alone(labels: np.ndarray) -> np.ndarray:
    return np.arange(len(labels))


def test_classes_are_sampled_alike_up_to_the_limit() -> None:
    labels = np.repeat([0, 1, 2], [500, 100, 20])
    at = linear_probe.sample(labels, alone(labels), np.random.default_rng(0), max_rows=150)
    assert np.bincount(labels[at]).tolist() == [65, 65, 20]
    assert (np.diff(at) > 0).all()


def test_few_rows_are_all_taken() -> None:
    labels = np.repeat([0, 1], [30, 40])
    at = linear_probe.sample(labels, alone(labels), np.random.default_rng(0))
    assert at.tolist() == list(range(70))


def test_equal_seeds_draw_equal_rows_and_others_do_not() -> None:
    labels = np.repeat([0, 1], 500)
    first, second, other = (
        linear_probe.sample(labels, alone(labels), np.random.default_rng(seed), 100)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_class_too_small_for_the_folds_is_left_out() -> None:
    labels = np.repeat([0, 1, 2], [20, 4, 20])
    at = linear_probe.sample(labels, alone(labels), np.random.default_rng(0))
    assert set(labels[at]) == {0, 2}


def test_a_class_of_too_few_groups_is_left_out() -> None:
    labels = np.repeat([0, 1, 2], 20)
    groups = np.concatenate([np.arange(20), 100 + np.arange(20) % 4, 200 + np.arange(20) % 5])
    at = linear_probe.sample(labels, groups, np.random.default_rng(0))
    assert set(labels[at]) == {0, 2}


def test_of_very_many_classes_a_part_is_drawn() -> None:
    labels = np.repeat(np.arange(50), 12)
    at = linear_probe.sample(labels, alone(labels), np.random.default_rng(0), max_rows=200)
    counts = np.bincount(labels[at], minlength=50)
    assert (counts > 0).sum() == 20
    assert set(counts[counts > 0]) == {10}


def test_nothing_that_fits_is_nothing() -> None:
    labels = np.arange(10)
    assert linear_probe.sample(labels, alone(labels), np.random.default_rng(0)).tolist() == []


def test_groups_stay_in_one_fold() -> None:
    labels = np.repeat([0, 1], 60)
    groups = np.arange(120) // 6
    for fitted, held_out in linear_probe.folds(labels, groups, seed=0):
        assert not set(groups[fitted]) & set(groups[held_out])
        assert set(labels[fitted]) == set(labels[held_out]) == {0, 1}


def test_each_row_is_held_out_once() -> None:
    labels = np.repeat([0, 1], 10)
    held = np.concatenate([test for _, test in linear_probe.folds(labels, alone(labels), seed=0)])
    assert sorted(held) == list(range(20))


@pytest.mark.parametrize(("noise", "low", "high"), [(0.01, 0.99, 1.0), (100.0, 0.1, 0.6)])
def test_a_probe_is_as_good_as_its_features(noise: float, low: float, high: float) -> None:
    labels = np.repeat([0, 1, 2], 40)
    features = np.eye(3)[labels] + noise * np.random.default_rng(0).normal(size=(120, 3))
    right = linear_probe.correct(
        features, labels, linear_probe.folds(labels, alone(labels), seed=0)
    )
    accuracy, error = linear_probe.balanced_accuracy(right, labels)
    assert low <= accuracy <= high
    assert 0 <= error < 0.06


def test_groups_that_repeat_each_other_do_not_help() -> None:
    """A near copy in the other fold would be recognised, not classified."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 200)).repeat(5, axis=0)
    labels, groups = rng.integers(0, 2, 60).repeat(5), np.arange(60).repeat(5)
    torn = linear_probe.correct(features, labels, linear_probe.folds(labels, alone(labels), seed=0))
    kept = linear_probe.correct(features, labels, linear_probe.folds(labels, groups, seed=0))
    assert torn.mean() > 0.95
    assert kept.mean() < 0.7


def test_accuracy_is_the_mean_over_the_classes() -> None:
    labels = np.repeat([0, 1], [90, 10])
    accuracy, error = linear_probe.balanced_accuracy(labels == 0, labels)
    assert (accuracy, error) == (0.5, 0.0)
    half = np.arange(100) % 2 == 0
    assert linear_probe.balanced_accuracy(half, labels)[1] == pytest.approx(
        0.5 * np.sqrt(0.25 / 90 + 0.25 / 10)
    )
