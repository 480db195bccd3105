"""Rows stay where they are, groups stay together, every class is in every split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thawline.errors import UserError
from thawline.ingest.splits.split import SPLITS, assign, positions, thin_out

RATIOS = {"val_ratio": 0.15, "test_ratio": 0.2}


def split(
    keys: list[str], labels: np.ndarray, *, seed: int = 0, num_classes: int = 3
) -> np.ndarray:
    classes = [f"class {k}" for k in range(num_classes)]
    return assign(keys, labels, classes, seed=seed, **RATIOS)


def many(count: int) -> tuple[list[str], np.ndarray]:
    return [f"image {index}" for index in range(count)], np.arange(count) % 3


def test_positions_are_uniform_and_follow_key_and_seed() -> None:
    keys, _ = many(5000)
    place = positions(keys, 0)
    assert place.min() >= 0
    assert place.max() < 1
    assert np.abs(np.histogram(place, 10, (0, 1))[0] / 500 - 1).max() < 0.2
    assert np.array_equal(place[::-1], positions(keys[::-1], 0))
    assert abs(np.corrcoef(place, positions(keys, 1))[0, 1]) < 0.05


def test_proportions_are_about_right() -> None:
    splits = split(*many(6000))
    shares = {name: float((splits == name).mean()) for name in SPLITS}
    assert shares["val"] == pytest.approx(0.15, abs=0.015)
    assert shares["test"] == pytest.approx(0.2, abs=0.015)


def test_rows_stay_when_others_are_added_and_the_order_changes() -> None:
    keys, labels = many(900)
    before = dict(zip(keys[:300], split(keys[:300], labels[:300]), strict=True))
    order = np.random.default_rng(0).permutation(900)
    shuffled = [keys[i] for i in order]
    after = dict(zip(shuffled, split(shuffled, labels[order]), strict=True))
    assert {key: after[key] for key in before} == before


def test_another_seed_splits_otherwise() -> None:
    assert (split(*many(300), seed=0) != split(*many(300), seed=1)).mean() > 0.2


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(3, 8))
def test_a_small_class_has_a_row_in_every_split(seed: int, size: int) -> None:
    keys, labels = many(3 * size)
    splits = split(keys, labels, seed=seed)
    for label in range(3):
        assert set(splits[labels == label]) == set(SPLITS)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 1000),
    groups=st.lists(st.integers(0, 11), min_size=3, max_size=40),
    shuffled=st.randoms(use_true_random=False),
)
def test_groups_stay_together_also_across_classes(
    seed: int, groups: list[int], shuffled: object
) -> None:
    keys = [f"group {group}" for group in groups]
    labels = np.array([shuffled.randrange(2) for _ in keys])  # type: ignore[attr-defined]
    try:
        splits = split(keys, labels, seed=seed, num_classes=2)
    except UserError as error:
        message = str(error)
        assert "class " in message
        return
    for key in set(keys):
        assert len({s for k, s in zip(keys, splits, strict=True) if k == key}) == 1
    for label in range(2):
        assert set(splits[labels == label]) == set(SPLITS)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_a_class_with_too_few_images_is_named(size: int) -> None:
    keys = [f"{index}" for index in range(30 + size)]
    labels = np.array([0] * 30 + [1] * size)
    with pytest.raises(UserError, match=rf"'class 1' has {size} .*at least 3"):
        split(keys, labels, num_classes=2)


def test_every_class_with_too_few_images_is_named_at_once() -> None:
    labels = np.array([0] * 30 + [1] + [2] * 30 + [3] * 2)
    keys = [f"{index}" for index in range(len(labels))]
    with pytest.raises(UserError, match=r"^class 'class 1' has 1, 'class 3' has 2 different"):
        split(keys, labels, num_classes=4)


def test_images_of_one_group_count_once() -> None:
    keys = ["a"] * 50 + ["b"] * 50 + [f"{index}" for index in range(30)]
    with pytest.raises(UserError, match=r"'class 0' has 2 different"):
        split(keys, np.array([0] * 100 + [1] * 30), num_classes=2)


def test_names_of_classes_are_shown_on_one_line() -> None:
    with pytest.raises(UserError) as caught:
        assign(["a"], np.array([0]), ["bad\n\u202ename"], seed=0, **RATIOS)
    assert str(caught.value).isprintable()


@pytest.fixture
def long_tail() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels = np.arange(2000) % 10
    keys = [f"image {index}" for index in range(2000)]
    splits = split(keys, labels, num_classes=10)
    place = positions(keys, 0)
    return labels, splits, thin_out(labels, splits, place, num_classes=10, ratio=20)


def test_training_rows_fall_to_the_ratio(
    long_tail: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    labels, _, thinned = long_tail
    sizes = np.bincount(labels[thinned == "train"], minlength=10)
    assert (np.diff(sizes) <= 0).all()
    assert sizes[0] / sizes[-1] == pytest.approx(20, rel=0.15)
    steps = sizes[:-1] / sizes[1:]
    assert steps == pytest.approx(20 ** (1 / 9), rel=0.25)


def test_only_training_rows_are_left_out(
    long_tail: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    _, splits, thinned = long_tail
    changed = splits != thinned
    assert set(splits[changed]) == {"train"}
    assert set(thinned[changed]) == {"unused"}


def test_no_class_is_left_out_whole() -> None:
    labels = np.array([0] * 100 + [1] * 2)
    splits = np.array(["train"] * 102)
    thinned = thin_out(labels, splits, np.linspace(0, 1, 102), num_classes=2, ratio=100)
    assert (thinned[labels == 1] == "train").sum() == 1


class Told:
    """What became of the other images, as `divide` finds it out."""

    def describe_class(self, label: int) -> str:
        return "4 equal to another image" if label else ""

    def examples(self, labels: list[int]) -> str:
        assert labels == [1]
        return ". First: 'b'"


def test_a_class_that_is_too_small_says_where_its_other_images_went() -> None:
    labels = np.array([0] * 5 + [1])
    with pytest.raises(UserError, match=r"'few' has 1 \(beside 4 equal to .*\) diff.* First: 'b'$"):
        assign(
            list("abcdef"), labels, ["many", "few"],
            seed=0, left_out=Told(), **RATIOS,
        )  # fmt: skip
