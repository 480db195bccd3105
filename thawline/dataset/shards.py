"""Write and read files of packed images: pixels, or JPEG with an index; both open in a notebook.

`images-00000.npy` is uint8 (rows, S, S, 3). `jpeg-00000.npy` is one JPEG file after another, uint8
(bytes,), and `index-00000.npy` has the end and the CRC-32 of each.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, Protocol

import numpy as np

from thawline.dataset import array_damage
from thawline.dataset.encoding import decode
from thawline.errors import UserError

_RAW, _JPEG, _INDEX = "images", "jpeg", "index"
_ENTRY = np.dtype([("end", "<i8"), ("crc32", "<u4")])


class Shard(Protocol):
    """Images of one file, by their position in it."""

    encoding: str

    def __len__(self) -> int: ...

    def image(self, row: int) -> np.ndarray:
        """Return an image, RGB, uint8 (S, S, 3), perhaps read-only."""
        ...

    def copy(self, rows: np.ndarray, out: np.ndarray, at: np.ndarray) -> None:
        """Copy the images of `rows` into out[at], uint8 (B, S, S, 3)."""
        ...


def write(directory: Path, number: int, images: Sequence[np.ndarray]) -> None:
    """Write images as `encoding.encode` made them, all of one kind."""
    if images[0].ndim == 3:
        np.save(directory / _name(_RAW, number), np.stack(images))
        return
    index = np.empty(len(images), dtype=_ENTRY)
    index["end"] = np.cumsum([len(image) for image in images])
    index["crc32"] = [zlib.crc32(image.data) for image in images]
    np.save(directory / _name(_JPEG, number), np.concatenate(images))
    np.save(directory / _name(_INDEX, number), index)


def read(directory: Path) -> list[Shard]:
    """Open the files of a folder in order; none in a folder without.

    Raises:
        UserError: a file is missing, cut or of another format.
    """
    raw, jpeg = (sorted(directory.glob(f"{kind}-*.npy")) for kind in (_RAW, _JPEG))
    for number, file in enumerate(raw or jpeg):
        expected = file.with_name(_name(_RAW if raw else _JPEG, number))
        if file != expected:
            _refuse(expected, "is missing")
    return [_Raw(file) for file in raw] or [_Jpeg(file) for file in jpeg]


class _Raw:
    encoding = "raw"

    def __init__(self, file: Path) -> None:
        # A plain array: the class of NumPy's maps makes each row's slice ten times as slow.
        self.pixels = np.asarray(_mapped(file, np.dtype(np.uint8), 4))

    def __len__(self) -> int:
        return len(self.pixels)

    def image(self, row: int) -> np.ndarray:
        pixels: np.ndarray = self.pixels[row]
        return pixels

    def copy(self, rows: np.ndarray, out: np.ndarray, at: np.ndarray) -> None:
        # One by one: NumPy's own out[at] = pixels[rows] copies twice, at two thirds of the rate.
        for place, row in zip(at.tolist(), rows.tolist(), strict=True):
            out[place] = self.pixels[row]


class _Jpeg:
    encoding = "jpeg"

    def __init__(self, file: Path) -> None:
        self._file = file
        self._bytes = _mapped(file, np.dtype(np.uint8), 1)
        index = file.with_name(file.name.replace(_JPEG, _INDEX))
        self._index = _mapped(index, _ENTRY, 1)
        ends = self._index["end"]
        if not len(ends) or ends[-1] != len(self._bytes) or np.diff(ends, prepend=0).min() <= 0:
            _refuse(index, f"does not fit {file.name}")

    def __len__(self) -> int:
        return len(self._index)

    def copy(self, rows: np.ndarray, out: np.ndarray, at: np.ndarray) -> None:
        for place, row in zip(at.tolist(), rows.tolist(), strict=True):
            image = self.image(row)
            if image.shape != out.shape[1:]:
                _refuse(self._file, "holds images of several sizes")
            out[place] = image

    def image(self, row: int) -> np.ndarray:
        start = int(self._index["end"][row - 1]) if row else 0
        encoded = self._bytes[start : int(self._index["end"][row])]
        whole = zlib.crc32(encoded.data) == self._index["crc32"][row]
        image = decode(encoded) if whole else None
        if image is None:
            _refuse(self._file, f"image {row} in it is damaged")
        return image


def _mapped(file: Path, dtype: np.dtype, dimensions: int) -> np.ndarray:
    try:
        array: np.ndarray = np.load(file, mmap_mode="r")
    except (OSError, *array_damage.HEADER, *array_damage.ARCHIVE) as error:
        _refuse(file, f"cannot be read: {getattr(error, 'strerror', None) or 'damaged'}")
    if not isinstance(array, np.ndarray):  # an archive of arrays, by its first bytes
        array.close()
        _refuse(file, "cannot be read: damaged")
    if array.dtype != dtype or array.ndim != dimensions:
        _refuse(file, f"holds {array.dtype} {array.shape}: other than what ingest writes")
    return array


def _name(kind: str, number: int) -> str:
    return f"{kind}-{number:05d}.npy"


def _refuse(file: Path, problem: str) -> NoReturn:
    raise UserError(f"{file}: {problem}; `dvc repro --force` makes the images again")
