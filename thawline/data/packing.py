"""Decode, check and resize every image of a source, once, in order, on all cores."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from thawline.data.candidates import read_regular
from thawline.data.content import Content, Geometry, content
from thawline.data.decode import DecodeError
from thawline.data.items import Item, Reject
from thawline.data.pack_cache import Known, PackCache, key

_BATCH = 32
_BATCH_BYTES = 8 * 2**20
_WINDOW_BYTES = 128 * 2**20
"""Upper bounds of the encoded images in one batch and in all that wait, give or take one image."""
_POOL_FROM = 2000
"""Below this, starting processes costs more than they save."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed(Content):
    """One image, decoded, and what its source says of it.

    Attributes:
        source_label: as the source has it; `label` may be corrected later.
    """

    item_name: str
    label: int
    group: str | None
    split: str | None
    source_label: int


Result = tuple[Packed | Reject, bytes | None]
"""With the key under which the cache wants it, if it does."""


def pack(
    items: Iterable[Item | Reject],
    geometry: Geometry,
    num_items: int | None = None,
    cache: PackCache | None = None,
) -> Iterator[Packed | Reject]:
    """Yield every item decoded, or the reason why not, in the order of the source.

    Memory is bounded by a few batches per process, however long the source is. The cache changes
    nothing but the time it takes.
    """
    known = cache.known if cache else None
    alone = num_items is not None and num_items < _POOL_FROM
    results = (
        (_prepared(item, geometry, known) for item in items)
        if alone
        else _pooled(items, geometry, known)
    )
    for result, wanted in results:
        if cache and wanted and isinstance(result, Packed):
            cache.add(wanted, result)
        yield result


def prepare(item: Item | Reject, geometry: Geometry) -> Packed | Reject:
    """Decode one item; never raises for bad content."""
    return _prepared(item, geometry, None)[0]


def _prepared(item: Item | Reject, geometry: Geometry, known: Known | None) -> Result:
    if isinstance(item, Reject):
        return item, None
    try:
        data = read_regular(item.payload) if isinstance(item.payload, Path) else item.payload
        wanted = key(item.name, data) if known and isinstance(data, bytes) else None
        found = known.find(wanted) if known and wanted else None
        image = found or content(item.name, data, geometry)
    except DecodeError as error:
        return Reject(name=item.name, reason=str(error)), None
    except OSError as error:
        reason = f"cannot be read: {error.strerror or 'damaged'}"
        return Reject(name=item.name, reason=reason), None
    return _packed(item, image), None if found else wanted


def _packed(item: Item, image: Content) -> Packed:
    return Packed(
        **{field.name: getattr(image, field.name) for field in fields(Content)},
        item_name=item.name,
        label=item.label,
        group=item.group,
        split=item.split,
        source_label=item.label,
    )


Waiting = tuple[Future[list[Result]], int]
"""A batch at work, and its bytes."""


def _pooled(
    items: Iterable[Item | Reject], geometry: Geometry, known: Known | None
) -> Iterator[Result]:
    """Ordered, with a bounded window: Executor.map would read the whole source ahead."""
    processes = os.cpu_count() or 1
    waiting: deque[Waiting] = deque()
    pool = ProcessPoolExecutor(processes, initializer=_Worker.start, initargs=(known,))
    submitted = (
        (pool.submit(_prepare_batch, batch, geometry), sum(map(_num_bytes, batch)))
        for batch in _batched(items)
    )
    try:
        _top_up(waiting, submitted, 4 * processes)
        while waiting:
            done = waiting.popleft()[0].result()
            _top_up(waiting, submitted, 4 * processes)
            yield from done
    finally:
        pool.shutdown(cancel_futures=True)  # a run that is stopped need not decode what waits


def _top_up(waiting: deque[Waiting], submitted: Iterator[Waiting], most: int) -> None:
    while len(waiting) < most and sum(size for _, size in waiting) < _WINDOW_BYTES:
        batch = next(submitted, None)
        if batch is None:
            return
        waiting.append(batch)


class _Worker:
    """What a process of the pool holds: handed over once, not with every batch."""

    known: Known | None = None

    @classmethod
    def start(cls, known: Known | None) -> None:
        cls.known = known


def _prepare_batch(batch: list[Item | Reject], geometry: Geometry) -> list[Result]:
    return [_prepared(item, geometry, _Worker.known) for item in batch]


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
