"""Decode, check and resize every image of a source, once, in order, on all cores."""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from thawline.data.decode import Background, DecodeError, Picture, fit, picture, to_rgb
from thawline.data.encoding import encode
from thawline.data.items import Item, Reject
from thawline.data.looks import Looks, measure
from thawline.data.notes import note

_BATCH = 32
_BATCH_BYTES = 8 * 2**20
_WINDOW_BYTES = 128 * 2**20
"""Upper bounds of the encoded images in one batch and in all that wait, give or take one image."""
_POOL_FROM = 2000
"""Below this, starting processes costs more than they save."""


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """How an image becomes a packed square."""

    image_size_px: int
    fit: str
    background: Background
    encoding: str = "raw"
    """See `encoding.encode`."""


@dataclass(frozen=True, kw_only=True)
class Packed:
    """One image, decoded.

    Attributes:
        pixels: uint8 (S, S, 3), or with encoding jpeg its bytes, uint8 (L,).
        sha256: of the upright RGB pixels and their shape; of a large JPEG at a fixed fraction of
            its size, see decode.KNOWN_BY_PX.
        source_label: as the source has it; `label` may be corrected later.
        note: what is odd about the file.
    """

    item_name: str
    label: int
    group: str | None
    split: str | None
    pixels: np.ndarray
    sha256: str
    width: int
    height: int
    looks: Looks
    source_label: int
    note: str | None


def pack(
    items: Iterable[Item | Reject], geometry: Geometry, num_items: int | None = None
) -> Iterator[Packed | Reject]:
    """Yield every item decoded, or the reason why not, in the order of the source.

    Memory is bounded by a few batches per process, however long the source is.
    """
    if num_items is not None and num_items < _POOL_FROM:
        return (prepare(item, geometry) for item in items)
    return _pooled(items, geometry)


def prepare(item: Item | Reject, geometry: Geometry) -> Packed | Reject:
    """Decode one item; never raises for bad content."""
    if isinstance(item, Reject):
        return item
    remark = None
    try:
        data = item.payload.read_bytes() if isinstance(item.payload, Path) else item.payload
        opened = _open(data, geometry)
        if isinstance(data, bytes):
            remark = note(item.name, data)
    except DecodeError as error:
        return Reject(name=item.name, reason=str(error))
    except OSError as error:
        return Reject(name=item.name, reason=f"cannot be read: {error.strerror or 'damaged'}")
    known_by = np.asarray(opened.known_by)
    digest = hashlib.sha256(repr(known_by.shape).encode())
    digest.update(np.ascontiguousarray(known_by).data)
    square = fit(opened.image, geometry.image_size_px, geometry.fit, geometry.background)
    return Packed(
        item_name=item.name,
        label=item.label,
        group=item.group,
        split=item.split,
        pixels=encode(square, geometry.encoding),
        sha256=digest.hexdigest(),
        width=opened.width,
        height=opened.height,
        looks=measure(opened.known_by),
        source_label=item.label,
        note=remark,
    )


def _open(data: bytes | np.ndarray, geometry: Geometry) -> Picture:
    if isinstance(data, np.ndarray):
        image = to_rgb(Image.fromarray(data), geometry.background)
        return Picture(known_by=image, image=image, width=image.width, height=image.height)
    return picture(data, geometry.image_size_px, geometry.fit, geometry.background)


Waiting = tuple[Future[list[Packed | Reject]], int]
"""A batch at work, and its bytes."""


def _pooled(items: Iterable[Item | Reject], geometry: Geometry) -> Iterator[Packed | Reject]:
    """Ordered, with a bounded window: Executor.map would read the whole source ahead."""
    processes = os.cpu_count() or 1
    waiting: deque[Waiting] = deque()
    with ProcessPoolExecutor(processes) as pool:
        submitted = (
            (pool.submit(_prepare_batch, batch, geometry), sum(map(_num_bytes, batch)))
            for batch in _batched(items)
        )
        _top_up(waiting, submitted, 4 * processes)
        while waiting:
            done = waiting.popleft()[0].result()
            _top_up(waiting, submitted, 4 * processes)
            yield from done


def _top_up(waiting: deque[Waiting], submitted: Iterator[Waiting], most: int) -> None:
    while len(waiting) < most and sum(size for _, size in waiting) < _WINDOW_BYTES:
        batch = next(submitted, None)
        if batch is None:
            return
        waiting.append(batch)


def _prepare_batch(batch: list[Item | Reject], geometry: Geometry) -> list[Packed | Reject]:
    return [prepare(item, geometry) for item in batch]


def _batched(items: Iterable[Item | Reject]) -> Iterator[list[Item | Reject]]:
    batch: list[Item | Reject] = []
    size = 0
    for item in items:
        batch.append(item)
        size += _num_bytes(item)
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _num_bytes(item: Item | Reject) -> int:
    """What an item holds in memory while it waits; a path holds nothing."""
    if isinstance(item, Reject) or isinstance(item.payload, Path):
        return 0
    return item.payload.nbytes if isinstance(item.payload, np.ndarray) else len(item.payload)
