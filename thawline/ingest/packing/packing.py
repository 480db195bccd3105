"""Decode, check and resize every image of a source, once, in order, on all cores or a cluster."""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from thawline.ingest.decoding.decode import DecodeError
from thawline.ingest.decoding.file_format import HEAD_BYTES, unread
from thawline.ingest.decoding.preprocess import Geometry, PreparedImage, content
from thawline.ingest.files.file_filter import read_regular
from thawline.ingest.items import Item, Reject
from thawline.ingest.packing import dask_backend
from thawline.ingest.packing.image_cache import Known, PackCache, key
from thawline.ingest.packing.workers import Workers

_BATCH = 32
_BATCH_BYTES = 8 * 2**20
_WINDOW_BYTES = 128 * 2**20
"""Upper bounds of the encoded images in one batch and in all that wait, give or take one image."""
_PROCESSES_FROM = 2000
"""Images, below which threads do it: they start at once, and decoding, which lets go of the
interpreter, takes half the time on 2 cores (196 photographs: 2.7 s by one, 1.35 s by two)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed(PreparedImage):
    """One decoded image, and what its source says about it.

    Attributes:
        source_label: label in the source; `label` may be corrected later.
    """

    item_name: str
    label: int
    group: str | None
    split: str | None
    source_label: int


Result = tuple[Packed | Reject, bytes | None]
"""Result of an item, with the key under which the cache wants it, if it does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """An image that is to be decoded.

    Attributes:
        item: the item with its bytes or pixels.
        wanted: as in Result.
    """

    item: Item
    wanted: bytes | None


def pack(
    items: Iterable[Item | Reject],
    geometry: Geometry,
    num_items: int | None = None,
    cache: PackCache | None = None,
) -> Iterator[Packed | Reject]:
    """Yield every item decoded, or the reason why not, in the order of the source.

    Memory is bounded by a few batches per process, however long the source is. The cache changes
    nothing but the time it takes, and neither does a cluster.

    Raises:
        UserError: the environment names a cluster that cannot be used, see `dask_backend`.
        ChildDiedError: a process that decodes was killed.
    """
    known = cache.known if cache else None
    with dask_backend.connect(geometry) as cluster:
        if cluster:
            results = _spread(items, cluster, known)
        elif num_items is not None and num_items < _PROCESSES_FROM:
            results = _threaded(items, geometry, known)
        else:
            results = _pooled(items, geometry, known, Workers)
        for result, wanted in results:
            if cache and wanted and isinstance(result, Packed):
                cache.add(wanted, result)
            yield result


def prepare(item: Item | Reject, geometry: Geometry) -> Packed | Reject:
    """Decode one item; never raises for bad content."""
    return _prepared(item, geometry, None)[0]


def _prepared(item: Item | Reject, geometry: Geometry, known: Known | None) -> Result:
    read = _read(item, known)
    return (_decoded(read.item, geometry), read.wanted) if isinstance(read, _Read) else read


def _read(item: Item | Reject, known: Known | None) -> _Read | Result:
    if isinstance(item, Reject):
        return item, None
    try:
        data = item.payload
        if isinstance(data, Path):
            data = read_regular(data, follow=False)
        wanted = key(item.name, data) if known and isinstance(data, bytes) else None
        found = known.find(wanted) if known and wanted else None
    except OSError as error:
        return _unreadable(item, error), None
    if found is not None:
        return _packed(item, found), None
    return _Read(item=replace(item, payload=data), wanted=wanted)


def _decoded(item: Item, geometry: Geometry) -> Packed | Reject:
    assert not isinstance(item.payload, Path)
    if isinstance(item.payload, bytes) and (why := unread(item.name, item.payload[:HEAD_BYTES])):
        return Reject(name=item.name, reason=why, label=item.label)
    try:
        return _packed(item, content(item.name, item.payload, geometry))
    except DecodeError as error:
        return Reject(name=item.name, reason=str(error), label=item.label)
    except OSError as error:
        return _unreadable(item, error)


def _unreadable(item: Item, error: OSError) -> Reject:
    reason = f"cannot be read: {error.strerror or 'damaged'}"
    return Reject(name=item.name, reason=reason, label=item.label)


def _packed(item: Item, image: PreparedImage) -> Packed:
    return Packed(
        **{field.name: getattr(image, field.name) for field in fields(PreparedImage)},
        item_name=item.name,
        label=item.label,
        group=item.group,
        split=item.split,
        source_label=item.label,
    )


Waiting = tuple[Callable[[], list[Result]], int]
"""Function that waits for a batch at work, and the batch's bytes."""
Batch = list[Item | Reject]


def _threaded(
    items: Iterable[Item | Reject], geometry: Geometry, known: Known | None
) -> Iterator[Result]:
    """Decode on threads; they share warning filters, which each would set and restore."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from _pooled(items, geometry, known, ThreadPoolExecutor)


def _pooled(
    items: Iterable[Item | Reject],
    geometry: Geometry,
    known: Known | None,
    executor: type[Workers] | type[ThreadPoolExecutor],
) -> Iterator[Result]:
    """Decode on processes or threads of this machine, which read the files too."""
    processes = os.cpu_count() or 1
    pool = executor(processes, initializer=_Worker.start, initargs=(known,))

    def start(batch: Batch) -> Waiting:
        return pool.submit(_prepare_batch, batch, geometry).result, sum(map(_num_bytes, batch))

    try:
        yield from _in_order(items, start, 4 * processes, _WINDOW_BYTES)
    finally:
        pool.shutdown(cancel_futures=True)  # a run that is stopped need not decode what waits


def _spread(
    items: Iterable[Item | Reject], cluster: dask_backend.Engine, known: Known | None
) -> Iterator[Result]:
    """Decode on a cluster, which gets bytes: it needs neither the source nor the cache."""

    def start(batch: Batch) -> Waiting:
        read = [_read(item, known) for item in batch]
        todo = [one.item for one in read if isinstance(one, _Read)]
        kept = [one.wanted if isinstance(one, _Read) else one for one in read]  # no bytes
        result = cluster.run(_decode_batch, todo) if todo else list

        def filled() -> list[Result]:
            decoded: Iterator[Packed | Reject] = iter(result())
            return [one if isinstance(one, tuple) else (next(decoded), one) for one in kept]

        return filled, sum(map(_num_bytes, todo))

    window = max(_WINDOW_BYTES, 2 * cluster.slots * _BATCH_BYTES)
    yield from _in_order(items, start, 4 * cluster.slots, window)


def _in_order(
    items: Iterable[Item | Reject], start: Callable[[Batch], Waiting], most: int, most_bytes: int
) -> Iterator[Result]:
    """Yield results in order, with a bounded number of batches under way.

    Executor.map would read the whole source ahead.
    """
    waiting: deque[Waiting] = deque()
    started = map(start, _batched(items))
    _top_up(waiting, started, most, most_bytes)
    while waiting:
        done = waiting.popleft()[0]()
        _top_up(waiting, started, most, most_bytes)
        yield from done


def _top_up(
    waiting: deque[Waiting], started: Iterator[Waiting], most: int, most_bytes: int
) -> None:
    while len(waiting) < most and sum(size for _, size in waiting) < most_bytes:
        batch = next(started, None)
        if batch is None:
            return
        waiting.append(batch)


class _Worker:
    """State that each process or thread of the pool gets once, not with every batch."""

    known: Known | None = None

    @classmethod
    def start(cls, known: Known | None) -> None:
        cls.known = known


def _prepare_batch(batch: Batch, geometry: Geometry) -> list[Result]:
    return [_prepared(item, geometry, _Worker.known) for item in batch]


def _decode_batch(batch: list[Item], geometry: Geometry) -> list[Packed | Reject]:
    return [_decoded(item, geometry) for item in batch]


def _batched(items: Iterable[Item | Reject]) -> Iterator[Batch]:
    batch: Batch = []
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
    """Return the bytes that an item holds in memory while it waits; 0 for a path."""
    if isinstance(item, Reject) or isinstance(item.payload, Path):
        return 0
    return item.payload.nbytes if isinstance(item.payload, np.ndarray) else len(item.payload)
