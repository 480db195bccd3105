"""MedMNIST's layout, whole and damaged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thawline.errors import UserError
from thawline.ingest.items import Item
from thawline.ingest.sources import npz

GREY = np.random.default_rng(0).integers(0, 256, (6, 5, 7), dtype=np.uint8)
LABELS = np.array([[0], [2], [1], [2], [0], [1]], dtype=np.uint8)


def arrays(**changed: Any) -> dict[str, Any]:
    held = {
        "train_images": GREY, "train_labels": LABELS,
        "val_images": GREY[:3], "val_labels": LABELS[:3],
        "test_images": GREY[3:], "test_labels": LABELS[3:],
    }  # fmt: skip
    return {name: array for name, array in {**held, **changed}.items() if array is not None}


def listed(file: Path) -> list[Item]:
    return [item for item in npz.read(file).items if isinstance(item, Item)]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("channels", [0, 1, 3])
def test_pixels_labels_and_splits(tmp_path: Path, save: Any, channels: int) -> None:
    train = GREY[..., None].repeat(channels, axis=-1) if channels else GREY
    save(tmp_path / "a.npz", **arrays(train_images=train))
    source = npz.read(tmp_path / "a.npz")
    assert source.classes == ("0", "1", "2")
    assert source.num_items == 12
    items = listed(tmp_path / "a.npz")
    assert [item.split for item in items] == ["train"] * 6 + ["val"] * 3 + ["test"] * 3
    assert [item.label for item in items] == [*LABELS[:, 0], *LABELS[:, 0]]
    for item, pixels in zip(items[:6], train if channels == 3 else GREY, strict=True):
        assert np.array_equal(np.asarray(item.payload), pixels)


@pytest.mark.parametrize(
    ("classes", "names", "absent"),
    [
        (None, ("1", "2", "3"), ("0",)),
        (["ant", "bee", "cat"], ("ant", "bee", "cat"), ()),
        (["n/a", "ant", "bee", "cat"], ("ant", "bee", "cat"), ("n/a",)),
    ],
)
def test_labels_may_start_at_one(
    tmp_path: Path, classes: list[str] | None, names: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    held = arrays()
    np.savez(tmp_path / "a.npz", **{k: v + ("labels" in k) for k, v in held.items()})
    source = npz.read(tmp_path / "a.npz", classes=classes)
    assert (source.classes, source.empty_classes) == (names, absent)
    assert [item.label for item in source.items][:6] == LABELS[:, 0].tolist()


def test_many_images_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", **arrays())
    whole = [np.asarray(item.payload).tobytes() for item in listed(tmp_path / "a.npz")]
    monkeypatch.setattr(npz, "_CHUNK_BYTES", 2 * 35)
    assert [np.asarray(i.payload).tobytes() for i in listed(tmp_path / "a.npz")] == whole


def test_the_held_out_parts_may_be_missing(tmp_path: Path) -> None:
    changed = {f"{part}_{kind}": None for part in ("val", "test") for kind in ("images", "labels")}
    np.savez(tmp_path / "a.npz", **arrays(**changed))
    assert {item.split for item in listed(tmp_path / "a.npz")} == {"train"}


WRONG = {
    "no labels": ({"test_labels": None}, "no array 'test_labels'"),
    "no training images": ({"train_images": None}, "no array 'train_images'"),
    "several labels a row": (
        {"train_labels": LABELS.repeat(14, axis=1)},
        r"expected whole numbers",
    ),
    "float labels": ({"train_labels": LABELS * 1.0}, "expected whole numbers"),
    "negative label": ({"train_labels": LABELS.astype(np.int64) - 1}, "labels start at 0"),
    "huge label": ({"train_labels": LABELS.astype(np.int64) * 10**9}, "label 2000000000"),
    "two channels": (
        {"train_images": np.zeros((6, 5, 5, 2), np.uint8)},
        r"expected uint8 \(N, H, W\), \(N, H, W, 1\) or \(N, H, W, 3\)",
    ),
    "volumes": ({"train_images": np.zeros((6, 5, 5, 5), np.uint8)}, r"expected uint8 \(N, H, W\)"),
    "float images": ({"train_images": GREY / 255}, "expected uint8"),
    "rows": ({"train_images": GREY[:5]}, "5 rows in train_images, but 6 in train_labels"),
    "no rows": ({"train_images": GREY[:0], "train_labels": LABELS[:0]}, "expected 1 to"),
    "pickle": ({"train_labels": np.array([print] * 6, dtype=object)}, "object"),
    "column order": ({"train_images": np.asfortranarray(GREY)}, "Fortran"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_another_layout_is_refused(tmp_path: Path, wrong: str) -> None:
    changed, expected = WRONG[wrong]
    np.savez(tmp_path / "a.npz", **arrays(**changed))
    with pytest.raises(UserError, match=expected):
        listed(tmp_path / "a.npz")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    np.savez(file, **arrays())
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[400] ^= 1
    for data in (b"", b"text", whole[:-100], bytes(flipped)):
        file.write_bytes(data)
        with pytest.raises(UserError, match=r"a\.npz"):
            listed(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        npz.read(tmp_path / "gone.npz")
    with pytest.raises(UserError, match="not a regular file"):
        npz.read(tmp_path)
