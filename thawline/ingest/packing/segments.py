"""Write and read segment files of the image cache; each appears whole and never changes.

A head with the number of images, a table of keys, places and checksums, then of each image its
pixels and the rest as JSON. Damaged data counts as missing.
"""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

SUFFIX, HALF = ".segment", ".half"
KEY_BYTES = 32
_HEAD = struct.Struct("<8sQ")
_MAGIC = b"thawpack"
_ENTRY = np.dtype(
    [("key", f"V{KEY_BYTES}"), ("start", "<u8"), ("middle", "<u8"), ("end", "<u8"), ("crc", "<u4")]
)
"""Pixels lie in the file from start to middle, the rest from there to end."""


class CachedImage(NamedTuple):
    key: bytes
    pixels: bytes
    rest: bytes

    @property
    def num_bytes(self) -> int:
        return len(self.pixels) + len(self.rest) + _ENTRY.itemsize


def write(file: Path, records: Sequence[CachedImage]) -> None:
    """Write images as a new segment file.

    Raises:
        OSError: e.g. no space left; no part of the file is left behind.
    """
    table = np.empty(len(records), dtype=_ENTRY)
    place = _HEAD.size + table.nbytes
    for row, record in enumerate(records):
        middle = place + len(record.pixels)
        end = middle + len(record.rest)
        table[row] = (record.key, place, middle, end, 0)
        table["crc"][row] = _crc32(table[row], record.pixels, record.rest)
        place = end
    half = file.with_suffix(HALF)
    try:
        with half.open("wb") as out:
            out.write(_HEAD.pack(_MAGIC, len(records)))
            out.write(table.tobytes())
            for record in records:
                out.write(record.pixels)
                out.write(record.rest)
        half.replace(file)
    except OSError:
        half.unlink(missing_ok=True)
        raise


def keys(file: Path) -> np.ndarray:
    """Read the first 8 bytes of each key, uint64 (rows,).

    Raises:
        ValueError: not a whole file of this kind.
        OSError: it cannot be read.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        head = opened.read(_HEAD.size)
        magic, rows = _HEAD.unpack(head) if len(head) == _HEAD.size else (b"", 0)
        if magic != _MAGIC or not 0 < rows <= (size - _HEAD.size) // _ENTRY.itemsize:
            raise ValueError("another kind of file")
        table = np.frombuffer(opened.read(rows * _ENTRY.itemsize), dtype=_ENTRY)
    if table["end"][-1] != size:
        raise ValueError("cut, or something follows it")
    return table["key"].view((np.uint8, KEY_BYTES))[:, :8].copy().view("<u8").reshape(-1)


def read(file: Path, row: int) -> CachedImage | None:
    """Read one image; None where it is damaged.

    Without a memory map, whose pages would count as memory in use.

    Raises:
        OSError: the file is gone, or cannot be read.
    """
    with file.open("rb", buffering=0) as opened:
        size = os.fstat(opened.fileno()).st_size
        raw = os.pread(opened.fileno(), _ENTRY.itemsize, _HEAD.size + row * _ENTRY.itemsize)
        if len(raw) < _ENTRY.itemsize:
            return None
        entry = np.frombuffer(raw, dtype=_ENTRY)[0]
        start, middle, end = (int(entry[name]) for name in ("start", "middle", "end"))
        if not start <= middle <= end <= size:
            return None
        body = os.pread(opened.fileno(), end - start, start)
    whole = _crc32(entry, body) == int(entry["crc"])
    pixels, rest = body[: middle - start], body[middle - start :]
    return CachedImage(entry["key"].tobytes(), pixels, rest) if whole else None


def _crc32(entry: np.void, *body: bytes) -> int:
    """Compute the checksum of an image with its key and places."""
    value = zlib.crc32(entry.tobytes()[: -_ENTRY["crc"].itemsize])
    for part in body:
        value = zlib.crc32(part, value)
    return value
