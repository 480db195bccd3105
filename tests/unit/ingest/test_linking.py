"""Near copies share a split, and rows that were there first stay where they are."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given as drawn_from
from hypothesis import strategies as st

from thawline.ingest.dedup import linking, phash_index
from thawline.ingest.splits.predefined_splits import Given
from thawline.ingest.splits.split import natural, positions

RATIOS = {"val_ratio": 0.2, "test_ratio": 0.3}


def settle(
    hashes: Sequence[int | None],
    keys: Sequence[str] | None = None,
    splits: Sequence[str | None] | None = None,
    without: set[int] | None = None,
) -> tuple[linking.Settled, list[str | None]]:
    """What becomes of the keys, and each row's split; None for a row that is left out."""
    keys = keys or [f"k{row}" for row in range(len(hashes))]
    splits = splits or [None] * len(hashes)
    own = _natural(keys, Given.from_rows(keys, splits))
    found = phash_index.find(hashes, 2)
    given = Given.from_rows(keys, splits)
    settled = linking.settle(found, keys, splits, own, given, without or set())
    left = {*settled.bridges, *(without or set())}
    rows = [row for row in range(len(keys)) if row not in left]
    final = [settled.keys[row] for row in rows]
    split_of = _natural(final, Given.from_rows(final, [splits[row] for row in rows]))
    return settled, [
        None if row in left else split_of[settled.keys[row]] for row in range(len(keys))
    ]


def _natural(keys: Sequence[str], given: Given) -> dict[str, str]:
    return natural(keys, positions(keys, 0), given=given, **RATIOS)


def key_in(split: str, start: int = 0) -> str:
    """A key whose own hash says so."""
    keys = [f"key {start} {k}" for k in range(200)]
    return next(key for key, place in _natural(keys, Given({})).items() if place == split)


A, B, BETWEEN, FAR = 0b0, 0b1111, 0b0011, 0xFFFF0000
"""B and A are 4 bits apart, BETWEEN is 2 from each."""


def test_a_late_copy_goes_where_its_twin_is() -> None:
    for first in ("train", "val", "test"):
        for late in ("train", "val", "test"):
            _, splits = settle([A, FAR, A ^ 1], [key_in(first), "other", key_in(late, 1)])
            assert splits[0] == splits[2] == first


def test_a_late_copy_between_two_splits_is_left_out() -> None:
    settled, splits = settle([A, B, BETWEEN], [key_in("test"), key_in("train", 1), "late"])
    assert splits == ["test", "train", None]
    assert settled.bridges == {2: {"test": 0, "train": 1}}


def test_a_late_copy_between_two_of_one_split_joins_them() -> None:
    settled, splits = settle([A, B, BETWEEN], [key_in("val"), key_in("val", 1), "late"])
    assert splits == ["val"] * 3
    assert len(set(settled.keys)) == 1


def test_a_group_follows_the_copy_of_its_first_row() -> None:
    keys = [key_in("test"), "group", "group"]
    _, splits = settle([A, A ^ 1, FAR], keys)
    assert splits == ["test"] * 3


def test_a_group_that_was_there_before_does_not_move() -> None:
    group = key_in("train", 1)
    settled, splits = settle([A, FAR, A ^ 1], [key_in("test"), group, group])
    assert splits == ["test", "train", None]
    assert settled.bridges == {2: {"test": 0, "train": 2}}


@pytest.mark.parametrize("order", [("train", "test"), ("test", "train"), ("train", "val")])
def test_of_given_splits_the_held_out_copy_stays(order: tuple[str, str]) -> None:
    rest = [(FAR << 8 * k, split) for k, split in enumerate(("train", "val", "test"))]
    hashes = [A, A ^ 1, *(h for h, _ in rest)]
    settled, splits = settle(hashes, splits=[*order, *(s for _, s in rest)])
    held_out = order.index("test") if "test" in order else order.index("val")
    assert splits[held_out] == order[held_out]
    assert set(settled.bridges) == {1 - held_out}


def test_a_row_that_is_left_out_already_binds_nobody() -> None:
    keys = [key_in("test"), key_in("train", 1)]
    _, splits = settle([A, A ^ 1], keys, without={0})
    assert splits == [None, "train"]


HASHES = st.lists(st.integers(0, 255) | st.none(), min_size=1, max_size=40)


@drawn_from(hashes=HASHES, groups=st.data())
def test_no_near_pair_is_in_two_splits(hashes: list[int | None], groups: st.DataObject) -> None:
    numbers = groups.draw(st.lists(st.integers(0, 60), min_size=len(hashes), max_size=len(hashes)))
    keys = [f"g{number}" for number in numbers]
    _, splits = settle(hashes, keys)
    for i, one in enumerate(hashes):
        for j, other in enumerate(hashes[:i]):
            if one is None or other is None or None in (splits[i], splits[j]):
                continue
            if (one ^ other).bit_count() <= 2 or keys[i] == keys[j]:
                assert splits[i] == splits[j]
    own = _natural(keys, Given({}))
    for row in range(len(hashes)):  # a row without a copy before it goes where it would go alone
        earlier = range(row)
        alone = keys[row] not in keys[:row] and not any(
            hashes[row] is not None
            and hashes[k] is not None
            and (hashes[row] ^ hashes[k]).bit_count() <= 2  # type: ignore[operator]
            for k in earlier
        )
        if alone and keys.count(keys[row]) == 1:
            assert splits[row] == own[keys[row]]


@drawn_from(hashes=HASHES, late=HASHES)
def test_rows_stay_when_others_come_later(hashes: list[int | None], late: list[int | None]) -> None:
    _, before = settle(hashes)
    _, after = settle([*hashes, *late])
    assert after[: len(hashes)] == before


def test_links_name_the_nearest_copy_before() -> None:
    found = phash_index.find([A, B, BETWEEN, BETWEEN, A ^ 1], 2)
    assert linking.links(found) == [
        linking.NearCopy(2, 0, 2), linking.NearCopy(3, 2, 0), linking.NearCopy(4, 0, 1),
    ]  # fmt: skip


def test_disagreements_name_both_sides() -> None:
    found = phash_index.find([A, A ^ 1, A ^ 2, FAR], 2)
    labels = np.array([0, 1, 0, 1]).tolist()
    assert linking.disagreements(found, labels) == [
        linking.NearCopy(0, 1, 1), linking.NearCopy(1, 0, 1), linking.NearCopy(2, 1, 2),
    ]  # fmt: skip
