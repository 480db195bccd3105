"""Every item comes out in order, decoded or with a reason, in this process or in several."""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thawline.ingest.items import Item, Reject
from thawline.ingest.packing import packing
from thawline.ingest.packing.packing import Geometry, Packed, pack, prepare

Encode = Callable[..., bytes]
GEOMETRY = Geometry(image_size_px=16, fit="letterbox", background=(0, 0, 0))
MANY = 10**6
"""A number of items that is worth processes."""


def item(payload: Path | bytes | np.ndarray, **values: object) -> Item:
    return Item(**{"name": "a", "label": 0, "payload": payload, **values})


def mixed(encode: Encode, count: int) -> list[Item | Reject]:
    items: list[Item | Reject] = []
    for index in range(count):
        pixels = np.full((20, 10 + index % 7, 3), index % 251, np.uint8)
        if index % 10 == 3:
            items.append(Reject(name=f"{index}", reason="not a regular file"))
        elif index % 10 == 7:
            items.append(item(encode(pixels, "PNG")[:40], name=f"{index}", label=1))
        else:
            payload = encode(pixels, "PNG") if index % 2 else pixels
            items.append(item(payload, name=f"{index}", label=index % 3, group=f"g{index // 4}"))
    return items


def same(a: Packed | Reject, b: Packed | Reject) -> bool:
    if isinstance(a, Reject) or isinstance(b, Reject):
        return a == b
    return np.array_equal(a.pixels, b.pixels) and without_pixels(a) == without_pixels(b)


def without_pixels(packed: Packed) -> Packed:
    return replace(packed, pixels=None)  # type: ignore[arg-type]


def test_processes_give_what_one_process_gives_in_the_same_order(encode: Encode) -> None:
    items = mixed(encode, 150)
    alone = list(pack(items, GEOMETRY, len(items)))
    pooled = list(pack(iter(items), GEOMETRY, MANY))
    assert len(alone) == len(pooled) == len(items)
    names = [r.name if isinstance(r, Reject) else r.item_name for r in alone]
    assert names == [str(index) for index in range(150)]
    assert all(itertools.starmap(same, zip(alone, pooled, strict=True)))


def test_a_source_of_unknown_length_may_be_empty() -> None:
    assert list(pack(iter(()), GEOMETRY)) == []


@pytest.mark.parametrize("num_items", [MANY, 1])
def test_only_a_bounded_window_is_read_ahead(num_items: int) -> None:
    drawn = itertools.count()

    def endless() -> Iterator[Item]:
        for index in drawn:
            yield item(np.full((16, 16, 3), index % 256, np.uint8), name=str(index))

    results = pack(endless(), GEOMETRY, num_items)
    for _ in range(200):
        next(results)
    results.close()  # type: ignore[attr-defined]
    ahead = next(drawn) - 200
    assert ahead <= (4 * (os.cpu_count() or 1) + 2) * packing._BATCH


def test_an_image_says_what_it_was(encode: Encode, photo: np.ndarray) -> None:
    packed = prepare(item(encode(photo, "PNG"), name="x/y", label=2, group="g"), GEOMETRY)
    assert isinstance(packed, Packed)
    assert (packed.item_name, packed.label, packed.group) == ("x/y", 2, "g")
    assert (packed.width, packed.height) == (64, 48)
    assert packed.pixels.shape == (16, 16, 3)
    assert packed.pixels.dtype == np.uint8


def sha256(payload: Path | bytes | np.ndarray) -> str:
    packed = prepare(item(payload), GEOMETRY)
    assert isinstance(packed, Packed)
    return packed.sha256


def test_the_hash_is_of_the_pixels_and_their_shape(
    encode: Encode, photo: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "a.bmp").write_bytes(encode(photo, "BMP"))
    ways = [photo, encode(photo, "PNG"), encode(photo, "TIFF"), tmp_path / "a.bmp"]
    assert len({sha256(way) for way in ways}) == 1
    changed = photo.copy()
    changed[40, 40, 1] ^= 1  # too little to survive the shrinking
    assert sha256(changed) != sha256(photo)
    flat = np.zeros((4, 16, 3), np.uint8)
    assert sha256(flat) != sha256(flat.reshape(8, 8, 3))


def test_what_cannot_be_read_is_a_reject(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    for path in (tmp_path / "gone.png", tmp_path, tmp_path / "empty.png"):
        reject = prepare(item(path, name="n"), GEOMETRY)
        assert isinstance(reject, Reject)
        assert reject.name == "n"
        assert reject.reason.isprintable()


def test_grey_pixels_are_taken_as_they_are() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    packed = prepare(item(grey), GEOMETRY)
    assert isinstance(packed, Packed)
    assert np.array_equal(packed.pixels, grey[..., None].repeat(3, axis=-1))
