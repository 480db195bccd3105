"""Which blocks a head reads: those that tell the classes, and the least network among equals."""

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.features import level_choice
from thawline.features.level_choice import (
    Choice,
    ChoiceSample,
    candidates,
    choose,
    draw,
    number_groups,
)
from thawline.features.levels import TRUNK, BlockFeatures, Changed, Key

COUNT = 240
BLOCKS = ("b0", "b1", "b2", "b3", "b4", "b5")
NUM_CLASSES = 3
COPIES = Changed(images=lambda batch, _: batch, known_by="copies")


class Told:
    """Features of blocks that are known beforehand, in place of those of a network."""

    def __init__(self, found: dict[Key, np.ndarray], copies: dict[Key, np.ndarray]) -> None:
        self.found, self.copies = found, copies

    def compute(
        self, rows: np.ndarray, keys: Any = None, *, changed: Changed | None = None
    ) -> dict[Key, np.ndarray]:
        source = self.found if changed is None else self.copies
        return {k: v[rows] for k, v in source.items() if keys is None or k in keys}


def labels_of(count: int = COUNT) -> np.ndarray:
    return np.arange(count) % NUM_CLASSES


def noise(seed: int, width: int = 6) -> np.ndarray:
    found: np.ndarray = np.random.default_rng(seed).normal(size=(COUNT, width))
    return found.astype(np.float32)


def telling(seed: int, labels: np.ndarray, strength: float = 4.0) -> np.ndarray:
    """Features that tell the classes, in units of the noise."""
    found: np.ndarray = noise(seed) + strength * np.eye(NUM_CLASSES, 6)[labels]
    return found.astype(np.float32)


def features(informative: dict[str, np.ndarray]) -> dict[Key, np.ndarray]:
    """Of six blocks and what the head would read; noise where nothing is given."""
    names = (*BLOCKS, TRUNK)
    return {(name, 1): informative.get(name, noise(i)) for i, name in enumerate(names)}


def chosen(
    found: dict[Key, np.ndarray],
    *,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    copies: dict[Key, np.ndarray] | None = None,
    **options: bool,
) -> Choice:
    sample = ChoiceSample(
        rows=np.arange(COUNT),
        labels=labels_of(),
        weights=np.ones(COUNT) if weights is None else weights,
        groups=groups,
        num_classes=NUM_CLASSES,
    )
    told = cast(BlockFeatures, Told(found, copies or {}))
    return choose(told, sample, copies=None if copies is None else COPIES, **options)


def test_an_early_block_that_tells_the_classes_is_chosen_over_later_noise() -> None:
    found = chosen(features({"b2": telling(9, labels_of())}))
    assert found.keys == (("b2", 1),)
    assert found.left_out.right.mean() > 0.9
    alone = {keys[0][0]: score.accuracy for keys, score in found.tried.items() if len(keys) == 1}
    assert alone["b5"] < 0.6 < 0.9 < alone["b2"]
    assert (found.augmented, found.augmented_accuracy) == (None, None)


def test_of_equals_the_least_network_is_taken() -> None:
    same = telling(9, labels_of())
    assert chosen(features({"b2": same, "b4": same, TRUNK: same})).keys == (("b2", 1),)


def test_a_later_block_that_is_much_better_is_taken() -> None:
    found = features({"b2": telling(8, labels_of(), 1.0), "b5": telling(9, labels_of())})
    assert [block for block, _ in chosen(found).keys][-1] == "b5"


def test_blocks_that_tell_different_classes_are_read_together() -> None:
    first = telling(8, np.minimum(labels_of(), 1), 6.0)  # 0 or another
    last = telling(9, np.where(labels_of() == 2, 2, 0), 6.0)  # 2 or another
    found = chosen(features({"b3": first, "b4": last}))
    blocks = {block for block, _ in found.keys}
    assert {"b3", "b4"} <= blocks
    assert found.left_out.right.mean() > 0.9


def test_rows_that_weigh_much_decide() -> None:
    """A block tells the classes in the first half of the rows, a later one in the second half."""
    first = np.arange(COUNT) < COUNT // 2
    anything = np.random.default_rng(0).integers(0, NUM_CLASSES, COUNT)
    early = telling(8, np.where(first, labels_of(), anything), 6.0)
    late = telling(9, np.where(first, anything, labels_of()), 6.0)
    found = features({"b2": early, "b5": late})
    for heavy, block in ((first, "b2"), (~first, "b5")):
        weights = np.where(heavy, 1.0, 1e-3)
        keys = chosen(found, weights=weights).keys
        assert keys[-1][0] == block
        assert chosen(found, weights=7 * weights).keys == keys, "only proportions count"


def test_only_what_the_own_head_reads_may_be_asked_for() -> None:
    found = chosen(features({"b2": telling(9, labels_of())}), last_only=True)
    assert found.keys == ((TRUNK, 1),)
    assert list(found.tried) == [((TRUNK, 1),)]


def test_copies_join_the_fit_unless_they_contradict_it() -> None:
    found = features({"b2": telling(9, labels_of())})
    like = features({"b2": telling(10, labels_of())})
    other = features({"b2": telling(10, (labels_of() + 1) % NUM_CLASSES)})
    assert chosen(found, copies=like).augmented
    spoilt = chosen(found, copies=other)
    assert spoilt.augmented is False
    assert spoilt.augmented_accuracy is not None
    assert spoilt.augmented_accuracy < spoilt.tried[spoilt.keys].accuracy
    assert len(spoilt.left_out.right) == len(chosen(found, copies=like).left_out.right) == COUNT


def test_rows_of_a_group_do_not_vouch_for_one_another() -> None:
    """Features that name the group alone: a row's own group gives its class away."""
    groups = np.arange(COUNT) // 4
    labels = np.random.default_rng(0).integers(0, NUM_CLASSES, COUNT // 4)[groups]
    named = (np.eye(COUNT // 4)[groups] + 0.01 * noise(3, COUNT // 4)).astype(np.float32)
    right = []
    for given_groups in (None, groups):
        sample = ChoiceSample(
            rows=np.arange(COUNT), labels=labels, weights=np.ones(COUNT), groups=given_groups,
            num_classes=NUM_CLASSES,
        )  # fmt: skip
        right.append(level_choice.judge([named], sample).right.mean())
    assert right[0] > 0.9
    assert right[1] < 0.6


@given(st.integers(1, 40))
def test_candidates_are_of_what_there_is_and_end_with_the_own_head(count: int) -> None:
    offered = [(f"b{i}", grid) for i in range(count) for grid in (1, 2)[: 1 + i % 2]]
    found = candidates([*offered, (TRUNK, 1)])
    assert found[-1] == ((TRUNK, 1),)
    assert len(set(found)) == len(found)
    ends = []
    for keys in found[:-1]:
        assert [key for key in offered if key in keys] == list(keys), "in order of the forward pass"
        assert len({block for block, _ in keys}) == len(keys)
        ends.append(int(keys[-1][0][1:]))
    assert ends == sorted(ends), "those that keep the least network first"
    assert ends[-1] == count - 1


@given(st.lists(st.integers(0, 4), min_size=1, max_size=300), st.integers(10, 100))
def test_a_draw_is_of_every_class_by_its_share(labels: list[int], most: int) -> None:
    given_labels = np.array(labels)
    at = draw(given_labels, np.random.default_rng(0), most)
    assert (np.diff(at) > 0).all()
    assert set(given_labels[at]) == set(labels)
    if len(labels) <= most:
        assert len(at) == len(labels)
    before, after = (
        np.bincount(values, minlength=5) for values in (given_labels, given_labels[at])
    )
    share = min(1.0, most / len(labels))
    assert (after >= np.minimum(before, 2)).all()
    assert (np.abs(after - share * before) <= 2).all()
    again = draw(given_labels, np.random.default_rng(0), most)
    assert np.array_equal(at, again)


def test_groups_are_numbered_and_rows_without_one_are_alone() -> None:
    assert number_groups([None, None]) is None
    found = number_groups(["a", None, "a", None, "0"])
    assert found is not None
    assert found[0] == found[2]
    assert len(set(found)) == 4


@pytest.mark.parametrize("weights", [np.ones(4), np.array([1.0, 2.0, 3.0, 4.0])])
def test_a_mean_comes_with_its_standard_error(weights: np.ndarray) -> None:
    values = np.array([0.0, 1.0, 1.0, 0.0])
    mean, error = level_choice.weighted_mean(values, weights)
    assert mean == pytest.approx(np.average(values, weights=weights))
    if len(set(weights)) == 1:
        assert error == pytest.approx(values.std() / 2)
    assert level_choice.weighted_mean(np.ones(4), weights) == (pytest.approx(1), pytest.approx(0))


def test_groups_that_would_take_too_much_memory_are_not_judged() -> None:
    found: dict[Key, np.ndarray] = {
        (block, grid): noise(n) for n, block in enumerate(BLOCKS) for grid in (1, 2)
    }
    found[TRUNK, 1] = noise(9)
    labels = labels_of()
    sample = ChoiceSample(
        rows=np.arange(COUNT), labels=labels, weights=np.ones(COUNT), groups=None,
        num_classes=NUM_CLASSES,
    )  # fmt: skip
    told = cast(BlockFeatures, Told(found, {}))
    widths = {one.num_features for one in choose(told, sample).tried.values()}
    assert max(widths) == 30
    limited = choose(told, sample, most_features=10).tried
    assert {one.num_features for one in limited.values()} == {6}
    assert ((TRUNK, 1),) in choose(told, sample, most_features=1).tried
