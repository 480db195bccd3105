"""Decode image files to the network's input, in order, on all cores, a few batches ahead."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from thawline.ingest.decoding.decode import DecodeError, fit, picture
from thawline.ingest.decoding.file_format import HEAD_BYTES, unread
from thawline.ingest.decoding.preprocess import Geometry
from thawline.ingest.files.file_filter import read_regular
from thawline.ingest.packing.workers import Workers
from thawline.prediction.listing import Bad, Listed

BATCH = 32
_POOL_FROM = 128
"""Below this, starting processes costs more than they save."""
_AHEAD = 3
"""Batches per process that are decoded or wait: what bounds the memory."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch of decoded files.

    Attributes:
        names: names of the files that were decoded.
        pixels: uint8 (B, S, S, 3), in the order of the names.
        bad: the other files.
    """

    names: list[str]
    pixels: np.ndarray
    bad: list[Bad]


def batches(
    files: Iterable[str | Bad], geometry: Geometry, processes: int | None = None
) -> Iterator[Batch]:
    """Decode files as training does; a bad file never raises.

    The processes are started by the call itself, not by the first `next`: threads that the caller
    starts meanwhile, e.g. ONNX Runtime's, must not be there when a process forks.
    """
    stream = iter(files)
    first = list(islice(stream, _POOL_FROM))
    if len(first) < _POOL_FROM or processes == 1:
        return (_decode(batch, geometry) for batch in _batched(chain(first, stream)))
    pool = _Pool(_batched(chain(first, stream)), geometry, processes or os.cpu_count() or 1)
    return pool.results()


class _Pool:
    """Ordered pool with a bounded window: Executor.map would read the whole list ahead."""

    def __init__(self, work: Iterator[list[str | Bad]], geometry: Geometry, processes: int) -> None:
        self._work, self._geometry, self._most = work, geometry, _AHEAD * processes
        self._pool = Workers(processes)
        self._waiting: deque[Future[Batch]] = deque()
        self._top_up()

    def results(self) -> Iterator[Batch]:
        try:
            while self._waiting:
                done = self._waiting.popleft().result()
                self._top_up()
                yield done
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _top_up(self) -> None:
        for batch in islice(self._work, self._most - len(self._waiting)):
            self._waiting.append(self._pool.submit(_decode, batch, self._geometry))


def _batched(files: Iterable[str | Bad]) -> Iterator[list[str | Bad]]:
    stream = iter(files)
    while batch := list(islice(stream, BATCH)):
        yield batch


def _decode(files: list[str | Bad], geometry: Geometry) -> Batch:
    bad = [file for file in files if isinstance(file, Bad)]
    size_px = geometry.image_size_px
    pixels = np.empty((len(files) - len(bad), size_px, size_px, 3), dtype=np.uint8)
    names: list[str] = []
    for name in (file for file in files if isinstance(file, str)):
        try:
            pixels[len(names)] = _pixels(name, geometry)
            names.append(name)
        except DecodeError as error:
            bad.append(Bad(name, str(error)))
    return Batch(names=names, pixels=pixels[: len(names)], bad=bad)


def _pixels(name: str, geometry: Geometry) -> np.ndarray:
    """Decode a file to a square, uint8 (S, S, 3).

    Raises:
        DecodeError: the file cannot be read, or is not a usable image.
    """
    how = (geometry.image_size_px, geometry.fit, geometry.background)
    data = _content(name)
    if why := unread(name, data[:HEAD_BYTES]):
        raise DecodeError(why)
    return fit(picture(data, *how, geometry.bit_depth).image, *how)


def _content(name: str) -> bytes:
    path = name.real if isinstance(name, Listed) else Path(name)
    try:
        return read_regular(path, follow=not isinstance(name, Listed))
    except OSError as error:
        raise DecodeError(f"cannot be read: {error.strerror or 'damaged'}") from None
    except ValueError as error:  # e.g. a NUL byte in it
        raise DecodeError(f"no path: {error}") from None
