"""What each strategy of rebalancing is for."""

import numpy as np
import pytest

from thawline.rebalance import class_weights, none, oversample, undersample

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(4), [120, 40, 12, 3]))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def sizes(indices: np.ndarray) -> list[int]:
    return np.bincount(LABELS[indices], minlength=4).tolist()


def test_none_keeps_every_row_once() -> None:
    plan = none.plan(LABELS, 4, rng=rng())
    assert plan.indices.tolist() == list(range(len(LABELS)))
    assert plan.class_weights.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("ratio", "expected"), [(1.0, [120] * 4), (0.5, [120, 60, 60, 60]), (0.01, [120, 40, 12, 3])]
)
def test_oversampling_repeats_up_to_the_ratio(ratio: float, expected: list[int]) -> None:
    plan = oversample.plan(LABELS, 4, rng=rng(), target_ratio=ratio)
    assert sizes(plan.indices) == expected
    assert set(plan.indices.tolist()) == set(range(len(LABELS))), "an original row is missing"


@pytest.mark.parametrize(
    ("ratio", "expected"), [(1.0, [3] * 4), (5.0, [15, 15, 12, 3]), (1e6, [120, 40, 12, 3])]
)
def test_undersampling_draws_without_repeats(ratio: float, expected: list[int]) -> None:
    plan = undersample.plan(LABELS, 4, rng=rng(), max_ratio=ratio)
    assert sizes(plan.indices) == expected
    assert len(np.unique(plan.indices)) == len(plan.indices)


def test_class_weights_give_every_class_the_same_part_of_the_loss() -> None:
    plan = class_weights.plan(LABELS, 4, rng=rng())
    part = np.bincount(LABELS) * plan.class_weights
    assert part == pytest.approx(part[0])
    assert plan.class_weights[LABELS].mean() == pytest.approx(1)
