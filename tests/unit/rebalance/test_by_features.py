"""What each strategy that looks at features is for, on points whose neighbours are known."""

from types import ModuleType

import numpy as np
import pytest

from thawline.rebalance import (
    edited_nearest_neighbours,
    instance_hardness,
    near_miss,
    smote,
    tomek_links,
)
from thawline.rebalance._cleaning import spared


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def on_a_line(*points: tuple[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Labels int64 (N,) and features float32 (N, 1) of (class, place) pairs."""
    labels, places = zip(*points, strict=True)
    return np.array(labels), np.array(places, dtype=np.float32)[:, None]


def test_near_miss_keeps_the_rows_nearest_to_the_rarest_class() -> None:
    labels, features = on_a_line(*((0, x) for x in range(10)), (1, 10.0), (1, 10.5))
    plan = near_miss.plan(labels, 2, rng=rng(), features=features)
    assert plan.indices.tolist() == [8, 9, 10, 11]
    twice = near_miss.plan(labels, 2, rng=rng(), features=features, max_ratio=2)
    assert twice.indices.tolist() == [6, 7, 8, 9, 10, 11]


def test_a_tomek_link_loses_its_common_end() -> None:
    labels, features = on_a_line((0, 0), (0, 1), (0, 2), (0, 4.9), (1, 5), (1, 7))
    plan = tomek_links.plan(labels, 2, rng=rng(), features=features)
    assert plan.indices.tolist() == [0, 1, 2, 4, 5]
    assert plan.reason == "1 of 6 rows left out"


def test_edited_neighbours_drop_a_common_row_among_the_rare() -> None:
    common = [(0, x / 10) for x in range(6)]
    labels, features = on_a_line(*common, (0, 9.05), (1, 9), (1, 9.1), (1, 9.2), (1, 9.3))
    plan = edited_nearest_neighbours.plan(labels, 2, rng=rng(), features=features)
    assert plan.indices.tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10]


def test_a_class_that_cleaning_would_wipe_out_stays_whole() -> None:
    labels = np.repeat([0, 1, 2], [6, 4, 2])
    positions = np.array([0, 1, 2, 3, 4, 6, 10, 11])
    indices, reason = spared(positions, labels, 3, 0.5)
    assert indices.tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert reason.startswith("1 of 12 rows left out; 1 class(es) stay whole")


@pytest.mark.parametrize("strategy", [tomek_links, edited_nearest_neighbours, near_miss])
def test_no_class_is_cleaned_away(strategy: ModuleType) -> None:
    """Each row of class 1 stands alone among rows of the others, which an editor removes."""
    places = [(0, float(x)) for x in range(12)] + [(2, 50.0 + x) for x in range(3)]
    labels, features = on_a_line(*places, *((1, x + 0.1) for x in (2.0, 4.0, 6.0, 8.0)))
    plan = strategy.plan(labels, 3, rng=rng(), features=features)
    assert set(labels[plan.indices]) == {0, 1, 2}


@pytest.mark.parametrize(
    "strategy", [tomek_links, edited_nearest_neighbours, near_miss, instance_hardness]
)
def test_rows_are_named_by_their_position(strategy: ModuleType) -> None:
    """Whatever the order of the rows is: no index of a table, no value of a label."""
    draw = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [40, 12, 6])
    features = (labels[:, None] * 2 + draw.normal(size=(58, 3))).astype(np.float32)
    order = draw.permutation(58)
    kept = strategy.plan(labels, 3, rng=rng(), features=features).indices
    moved = strategy.plan(labels[order], 3, rng=rng(), features=features[order]).indices
    assert (np.diff(moved) > 0).all()
    assert len(moved) < 58
    if strategy is not instance_hardness:  # its folds follow the order
        assert sorted(order[moved]) == kept.tolist()
    assert np.bincount(labels[order][moved], minlength=3)[2] == 6


def test_hardness_drops_the_mislabelled_rows_first() -> None:
    draw = np.random.default_rng(3)
    centres = np.repeat([0, 1], [40, 20])
    features = (centres[:, None] * 6 + draw.normal(size=(60, 4))).astype(np.float32)
    labels = centres.copy()
    labels[[50, 51, 52]] = 0  # three of class 1's cloud are called 0
    plan = instance_hardness.plan(labels, 2, rng=rng(), features=features, max_ratio=2)
    assert np.bincount(labels[plan.indices]).tolist() == [34, 17]
    assert not {50, 51, 52} & set(plan.indices.tolist())


def test_hardness_leaves_a_class_of_one_row_alone() -> None:
    labels = np.repeat([0, 1, 2], [30, 12, 1])
    features = np.random.default_rng(0).normal(size=(43, 4)).astype(np.float32)
    plan = instance_hardness.plan(labels, 3, rng=rng(), features=features, max_ratio=10)
    assert np.bincount(labels[plan.indices]).tolist() == [10, 10, 1]


@pytest.mark.parametrize(("ratio", "expected"), [(1.0, [9, 9, 9]), (0.5, [9, 5, 5])])
def test_smote_names_sizes_and_keeps_the_rows(ratio: float, expected: list[int]) -> None:
    labels = np.repeat([0, 1, 2], [9, 4, 2])
    plan = smote.plan(labels, 3, rng=rng(), target_ratio=ratio)
    assert plan.indices.tolist() == list(range(15))
    assert plan.targets is not None
    assert plan.targets.tolist() == expected
