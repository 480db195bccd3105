"""Files of the MNIST family, whole and damaged."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from thawline.errors import UserError
from thawline.ingest.items import Item
from thawline.ingest.sources import idx

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 7), dtype=np.uint8)
LABELS = np.array([0, 2, 1, 2, 0, 1], dtype=np.uint8)


def images_file(pixels: np.ndarray) -> bytes:
    return struct.pack(">4I", 0x0803, *pixels.shape) + pixels.tobytes()


def labels_file(labels: np.ndarray) -> bytes:
    return struct.pack(">2I", 0x0801, len(labels)) + labels.tobytes()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(images_file(PIXELS))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels_file(LABELS))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(images_file(PIXELS[:2])))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels_file(LABELS[:2])))
    return tmp_path


def listed(root: Path) -> list[Item]:
    return [item for item in idx.read(root).items if isinstance(item, Item)]


def test_pixels_labels_and_splits(root: Path) -> None:
    source = idx.read(root)
    assert source.classes == ("0", "1", "2")
    assert source.num_items == 8
    items = listed(root)
    assert [item.label for item in items] == [*LABELS, *LABELS[:2]]
    assert [item.split for item in items] == ["train"] * 6 + ["test"] * 2
    assert items[-1].name == "t10k/000001"
    for item, pixels in zip(items, [*PIXELS, *PIXELS[:2]], strict=True):
        assert np.array_equal(np.asarray(item.payload), pixels)


def test_labels_may_start_at_one(root: Path) -> None:
    for name, labels in (("train", LABELS), ("t10k", LABELS[:2])):
        for file in root.glob(f"{name}-labels*"):
            file.unlink()
        (root / f"{name}-labels-idx1-ubyte").write_bytes(labels_file(labels + 1))
    source = idx.read(root)
    assert (source.classes, source.empty_classes) == (("1", "2", "3"), ("0",))
    assert [item.label for item in listed(root)] == [*LABELS, *LABELS[:2]]
    named = idx.read(root, classes=["ant", "bee", "cat"])
    assert (named.classes, named.empty_classes) == (("ant", "bee", "cat"), ())
    assert "the labels start at 1" in named.remarks[0]


def test_many_images_come_in_pieces(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [np.asarray(item.payload).tobytes() for item in listed(root)]
    monkeypatch.setattr(idx, "_CHUNK_BYTES", 4 * 35)
    assert [np.asarray(item.payload).tobytes() for item in listed(root)] == whole


def test_names_of_classes(root: Path) -> None:
    assert idx.read(root, classes=["x", "y", "z"]).classes == ("x", "y", "z")
    for names, expected in [
        (["x", "y"], "2 names, but the labels go up to 2; 3 are needed"),
        (["x", "y", "x"], "'x' occurs twice"),
        (["x", "", "z"], "'' is empty"),
    ]:
        with pytest.raises(UserError, match=expected) as caught:
            idx.read(root, classes=names)
        assert str(caught.value).startswith("ingest.options.classes")


def test_the_test_files_may_be_missing(root: Path) -> None:
    for file in root.glob("t10k*"):
        file.unlink()
    assert len(listed(root)) == 6


@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_a_missing_file_is_named(root: Path, file: str) -> None:
    for found in root.glob(f"{file}*"):
        found.unlink()
    with pytest.raises(UserError, match=file):
        idx.read(root)


def cut(data: bytes) -> bytes:
    return data[:-1]


DAMAGE = {
    "empty": (lambda _: b"", "shorter"),
    "cut": (cut, "shorter|damaged"),
    "longer": (lambda data: data + b"\0", "longer"),
    "other magic": (lambda data: b"\0\0\x0d\3" + data[4:], "begins with 00000d03"),
    "no items": (lambda data: data[:4] + bytes(4) + data[8:], "is not allowed"),
    "2^32 items": (lambda data: data[:4] + b"\xff" * 4 + data[8:], "is not allowed"),
}


@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused(root: Path, kind: str, damage: str) -> None:
    file = root / f"train-{kind}-ubyte"
    change, expected = DAMAGE[damage]
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(UserError, match=expected):
        listed(root)


def test_a_damaged_gzip_is_refused(root: Path) -> None:
    file = root / "t10k-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    damaged = bytearray(whole)
    damaged[-6] ^= 1  # the checksum
    for data in (bytes(damaged), whole[:-12], b"no gzip"):
        file.write_bytes(data)
        with pytest.raises(UserError, match="t10k-images-idx3-ubyte"):
            listed(root)


def test_images_without_labels_are_refused(root: Path) -> None:
    (root / "train-labels-idx1-ubyte").write_bytes(labels_file(LABELS[:5]))
    with pytest.raises(UserError, match="6 images, but 5 labels"):
        idx.read(root)
