"""Splits that came with the set stand; the missing ones are drawn from train; nothing leaks."""

from pathlib import Path

import numpy as np
import pytest

from thawline.dataset.image_store import StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest import collect as walk
from thawline.ingest import ingest_summary
from thawline.ingest.items import Item
from thawline.ingest.packing.packing import Geometry, pack
from thawline.ingest.splits.divide import divide
from thawline.ingest.splits.predefined_splits import Given, split_folders, stronger
from thawline.ingest.splits.split import assign

RATIOS = {"val_ratio": 0.15, "test_ratio": 0.2}
CLASSES = ("cat", "dog")


def split(
    given: list[str | None], labels: list[int] | None = None, **options: object
) -> np.ndarray:
    keys = [f"image {index}" for index in range(len(given))]
    chosen = np.array(labels if labels is not None else [k % 2 for k in range(len(given))])
    brought = Given.from_rows(keys, given)
    return assign(keys, chosen, CLASSES, seed=0, given=brought, **{**RATIOS, **options})


def test_given_splits_stand() -> None:
    given = [("train", "val", "test")[k % 5 % 3] for k in range(100)]
    assert split(given).tolist() == given


def test_nothing_given_is_what_the_hash_says() -> None:
    keys = [f"image {index}" for index in range(200)]
    labels = np.arange(200) % 2
    assert np.array_equal(split([None] * 200), assign(keys, labels, CLASSES, seed=0, **RATIOS))


def test_validation_is_drawn_from_train_where_only_test_is_given() -> None:
    given = ["test" if k % 4 == 0 else "train" for k in range(4000)]
    given = [given[k // 2] for k in range(4000)]
    splits = split(given)
    test = np.array(given) == "test"
    assert (splits[test] == "test").all()
    assert set(splits[~test]) == {"train", "val"}
    assert (splits[~test] == "val").mean() == pytest.approx(0.15, abs=0.02)


def test_both_are_drawn_where_only_train_is_given() -> None:
    assert np.array_equal(split(["train"] * 300), split([None] * 300))


def test_rows_without_a_split_are_hashed() -> None:
    given = [None if k % 2 else ("train", "val", "test")[k // 2 % 3] for k in range(600)]
    labels = [k // 2 % 2 for k in range(600)]
    splits, hashed = split(given, labels), split([None] * 600, labels)
    free = np.array([g is None for g in given])
    assert np.array_equal(splits[free], hashed[free])


def test_a_hundred_thousand_rows_take_no_time_to_speak_of() -> None:
    keys = [f"image {index}" for index in range(100_000)]
    brought = Given.from_rows(keys, ["train"] * len(keys))
    assert len(brought.settle(dict.fromkeys(keys, "val"))) == len(keys)
    assert all(brought.may_move(key, "test") for key in keys)


def test_drawn_rows_stay_when_others_are_added() -> None:
    before = split(["train"] * 200 + ["test"] * 20)
    after = split(["train"] * 200 + ["test"] * 20 + ["train"] * 300)
    assert np.array_equal(before, after[:220])


def test_a_small_class_still_gets_a_drawn_row() -> None:
    labels = [0] * 60 + [1] * 2 + [0, 1]
    splits = split(["train"] * 62 + ["test"] * 2, labels)
    assert sorted(splits[60:62]) == ["train", "val"]


@pytest.mark.parametrize("only", ["test", "val"])
def test_a_class_without_training_rows_is_named(only: str) -> None:
    given = ["train", "val", "test"] * 10 + [only] * 5
    with pytest.raises(UserError, match=rf"'dog' has no image for train.*5 in {only}"):
        split(given, [0] * 30 + [1] * 5)


def test_a_class_too_small_to_draw_from_is_named() -> None:
    with pytest.raises(UserError, match=r"'dog' has no image for val.*1 in train"):
        split(["train"] * 60 + ["test"] * 2, [0] * 59 + [1] + [0, 1])


def test_a_group_in_two_splits_is_named() -> None:
    with pytest.raises(UserError, match="group 'a' is given in train and in test"):
        Given.from_rows(["a", "b", "a"], ["train", "val", "test"])


def test_the_copy_in_test_is_the_one_that_stays() -> None:
    assert stronger("test", "val")
    assert stronger("val", "train")
    assert stronger("train", None)
    assert not stronger("test", "test")


def gathered(
    tmp_path: Path, rows: list[tuple[int, int, str | None]]
) -> tuple[walk.Collected, Manifest]:
    """Rows of (grey value, label, split); named by their position."""
    items = [
        Item(name=f"{k}", label=label, payload=np.full((16, 16), value, np.uint8), split=place)
        for k, (value, label, place) in enumerate(rows)
    ]
    geometry = Geometry(image_size_px=16, fit="stretch", background=(0, 0, 0))
    with StoreWriter(tmp_path, 16) as writer:
        found = walk.collect(pack(items, geometry, len(items)), writer, CLASSES)
    options = {"seed": 0, "imbalance_ratio": None, **RATIOS}
    return found, divide(found, CLASSES, **options)


BASE: list[tuple[int, int, str | None]] = [
    (k, k % 2, ("train", "val", "test")[k // 2 % 3]) for k in range(60)
]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ("train", "test", "test"), ("test", "train", "test"), ("train", "val", "val"),
        ("val", "test", "test"), (None, "test", "test"), ("val", None, "val"),
    ],
)  # fmt: skip
def test_a_picture_in_two_splits_is_kept_once(
    tmp_path: Path, first: str | None, second: str | None, kept: str
) -> None:
    found, manifest = gathered(tmp_path, [*BASE, (200, 0, first), (200, 0, second)])
    assert len(manifest) == 61
    assert manifest.splits[60] == kept
    assert manifest.names[60] == ("60" if first == kept else "61")
    ((name, reason),) = ingest_summary.quarantine_rows(found)
    assert {name, manifest.names[60]} == {"60", "61"}
    assert f"(there in {kept})" in reason
    counts = ingest_summary.summary(found, manifest, ingest_summary.account_for(found, {}))
    assert counts["duplicates"] == 1
    assert counts["duplicates_across_splits"] == int(None not in (first, second))


def test_the_label_follows_the_copy_that_is_kept(tmp_path: Path) -> None:
    found, manifest = gathered(tmp_path, [*BASE, (200, 0, "train"), (200, 1, "test")])
    assert manifest.labels[60] == 1
    assert (
        ingest_summary.quarantine_rows(found)[0][1]
        == "duplicate of 61 (there labelled 'dog') (there in test)"
    )


def test_a_gap_in_a_given_split_is_told(tmp_path: Path) -> None:
    rows = [row for row in BASE if row[1:] != (1, "test")]
    _, manifest = gathered(tmp_path, rows)
    assert ingest_summary.gaps(manifest) == [
        "no test image of class 'dog': it cannot be scored there"
    ]
    assert ingest_summary.gaps(gathered(tmp_path, BASE)[1]) == []


def test_split_folders_are_recognised() -> None:
    assert split_folders(["Train", "valid", "TEST"]) == {
        "Train": "train", "valid": "val", "TEST": "test",
    }  # fmt: skip
    assert split_folders(["training", "testing"]) == {"training": "train", "testing": "test"}
    for classes in (["bus", "train"], ["train"], ["test", "val"], ["cat", "dog"], []):
        assert split_folders(classes) == {}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train", "test", "extra"], "beside 'extra'"),
        (["train", "val", "valid"], "two of one split"),
    ],
)
def test_unclear_split_folders_are_refused(names: list[str], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        split_folders(names)
