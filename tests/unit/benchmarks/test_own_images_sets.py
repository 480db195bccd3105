"""Image sets for comparisons: train and test without copies, and what a resource file holds."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.own_images import qt_resources
from benchmarks.own_images.debian import png
from benchmarks.own_images.pictures import Picture, divide, write


def picture(label: str, value: int, split: str | None = None) -> Picture:
    pixels = np.full((4, 4), value, np.uint8)
    return Picture(label=label, data=png(pixels), suffix=".png", split=split)


def test_each_class_gives_its_share_to_test_and_the_seed_decides_which() -> None:
    pictures = [picture("ab"[n % 2], n) for n in range(80)]
    once, other = divide(pictures, seed=0), divide(pictures[::-1], seed=0)
    assert {label: len(members) for label, members in once["test"].items()} == {"a": 10, "b": 10}
    assert {label: len(members) for label, members in once["train"].items()} == {"a": 30, "b": 30}
    assert once == other, "the order of the files decides nothing"
    assert divide(pictures, seed=1) != once


def test_a_small_class_is_tested_too_and_a_large_one_is_capped() -> None:
    pictures = [picture("rare", 0), picture("rare", 1), *(picture("big", n) for n in range(2, 50))]
    found = divide(pictures, seed=0, most=8)
    assert [len(found[split]["rare"]) for split in ("train", "test")] == [1, 1]
    assert [len(found[split]["big"]) for split in ("train", "test")] == [6, 2]


def test_copies_are_kept_once_and_contradicted_ones_not_at_all() -> None:
    pictures = [picture("a", 1), picture("a", 1), picture("a", 2), picture("a", 3)]
    found = divide([*pictures, picture("b", 3), picture("b", 4), picture("b", 5)], seed=0)
    kept = {p.data for classes in found.values() for members in classes.values() for p in members}
    assert kept == {picture("", value).data for value in (1, 2, 4, 5)}


def test_a_given_test_row_is_not_trained_on() -> None:
    given = [picture("a", 1, "train"), picture("a", 2, "train"), picture("a", 1, "test")]
    found = divide(given, seed=0)
    assert found["train"]["a"] == [given[1]]
    assert found["test"]["a"] == [given[2]]


def test_files_are_written_as_they_are(tmp_path: Path) -> None:
    pictures = [picture("a", value) for value in range(4)]
    assert write(tmp_path, divide(pictures, seed=0)) == {"train": 3, "test": 1}
    written = {path.read_bytes() for path in tmp_path.glob("*/a/*.png")}
    assert written == {one.data for one in pictures}


def resource(stored: bytes, flags: int) -> bytes:
    """Pack one file, images/tux.webp, as Qt's `rcc` does."""
    names, offsets = b"", []
    for name in ("images", "tux.webp"):
        offsets.append(len(names))
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    entries = [
        struct.pack(">IHIIQ", 0, 0x02, 1, 1, 0),
        struct.pack(">IHIIQ", offsets[0], 0x02, 1, 2, 0),
        struct.pack(">IHHHIQ", offsets[1], flags, 0, 0, 0, 0),
    ]
    tree, data = b"".join(entries), struct.pack(">I", len(stored)) + stored
    start = 4 + 5 * 4
    places = (start, start + len(tree), start + len(tree) + len(data))
    return b"qres" + struct.pack(">5I", 3, *places, 0) + tree + data + names


def test_a_resource_file_yields_its_files_plain_or_compressed(tmp_path: Path) -> None:
    path, content = tmp_path / "one.rcc", b"penguin" * 50
    path.write_bytes(resource(content, 0))
    assert list(qt_resources.files(path)) == [("images/tux.webp", content)]
    path.write_bytes(resource(struct.pack(">I", len(content)) + zlib.compress(content), 1))
    assert list(qt_resources.files(path)) == [("images/tux.webp", content)]


def test_a_damaged_resource_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.rcc"
    for held in (b"PNG", b"qres", resource(b"????not zlib", 1), resource(b"zstd", 4)):
        path.write_bytes(held)
        with pytest.raises(ValueError, match=r"one\.rcc"):
            list(qt_resources.files(path))
