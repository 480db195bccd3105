"""Read one NumPy archive in the layout of MedMNIST: train_images, train_labels, val_..., test_...

Source of the layout: J. Yang et al., "MedMNIST v2", Scientific Data, 2023. Arrays are read in
pieces from the archive: a set of 224 px images does not fit into memory. Nothing is unpickled.
"""

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from thawline.dataset import array_damage
from thawline.errors import UserError
from thawline.ingest.files.archive_reader import check_total
from thawline.ingest.files.file_filter import signature
from thawline.ingest.items import MAX_SIDE_PX, Item, Source
from thawline.ingest.labels.labels import Classes, from_numbers
from thawline.runtime.escape import escape

_PARTS = ("train", "val", "test")
_MAX_ITEMS = 10**8
_MAX_HEADER = 10_000
_MAX_LABEL_BYTES = 2**27
_CHUNK_BYTES = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Python unpacks the others without a bound: four kilobytes can become gigabytes."""


@dataclass(frozen=True, kw_only=True)
class _NpzSplit:
    name: str
    labels: np.ndarray
    shape: tuple[int, ...]
    """Shape of one image: (H, W) or (H, W, 3)."""


def read(path: Path, *, classes: list[str] | None = None) -> Source:
    """Read images, uint8 (N, H, W), (N, H, W, 1) or (N, H, W, 3), and labels, (N,) or (N, 1).

    Args:
        path: the archive.
        classes: class names in the order of the labels; the numbers by default. A number without
            an image is no class.

    Raises:
        UserError: not such an archive, an array is missing or of another shape or type.
    """
    signature(path)
    with _archive(path) as archive:
        held = {Path(name).stem for name in archive.namelist()}
        parts = [_part(path, archive, n) for n in _PARTS if n == "train" or f"{n}_images" in held]
    check_total(path, sum(len(part.labels) * math.prod(part.shape) for part in parts))
    found = from_numbers(classes, (k for part in parts for k in np.unique(part.labels).tolist()))
    return Source(
        classes=found.names,
        items=_items(path, parts, found),
        num_items=sum(len(part.labels) for part in parts),
        empty_classes=found.absent,
        remarks=found.remarks,
    )


def _part(path: Path, archive: zipfile.ZipFile, name: str) -> _NpzSplit:
    images, labels = f"{name}_images", f"{name}_labels"
    with _array(path, archive, labels) as (file, shape, dtype):
        if dtype.kind not in "iu" or shape not in ((shape[0],), (shape[0], 1)):
            raise _refusal(
                path, f"{labels} is {dtype} {shape}; expected whole numbers (N,) or (N, 1)"
            )
        size = shape[0] * dtype.itemsize
        if size > _MAX_LABEL_BYTES:
            raise _refusal(path, f"{labels} has {size} bytes; at most {_MAX_LABEL_BYTES}")
        data = _exactly(path, labels, file, size)
        values = np.frombuffer(data, dtype=dtype)
    with _array(path, archive, images) as (_, shape, dtype):
        fits = len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3))
        if dtype != np.uint8 or not fits or min(shape) < 1 or max(shape[1:3]) > MAX_SIDE_PX:
            raise _refusal(
                path,
                f"{images} is {dtype} {escape(str(shape))}; expected uint8 (N, H, W), (N, H, W, 1) "
                f"or (N, H, W, 3) of 1 to {MAX_SIDE_PX} px",
            )
    if shape[3:] == (1,):
        shape = shape[:3]
    if shape[0] != len(values):
        raise _refusal(path, f"{shape[0]} rows in {images}, but {len(values)} in {labels}")
    if values.min() < 0:
        raise _refusal(path, f"{labels} has {values.min()}; labels start at 0")
    return _NpzSplit(name=name, labels=values, shape=shape[1:])


def _items(path: Path, parts: list[_NpzSplit], classes: Classes) -> Iterator[Item]:
    with _archive(path) as archive:
        for part in parts:
            yield from _part_items(path, archive, part, classes)


def _part_items(
    path: Path, archive: zipfile.ZipFile, part: _NpzSplit, classes: Classes
) -> Iterator[Item]:
    array, image_bytes = f"{part.name}_images", math.prod(part.shape)
    step = max(1, _CHUNK_BYTES // image_bytes)
    with _array(path, archive, array) as (file, _, _):
        for start in range(0, len(part.labels), step):
            labels = classes.positions(part.labels[start : start + step]).tolist()
            data = _exactly(path, array, file, len(labels) * image_bytes)
            pixels = np.frombuffer(data, dtype=np.uint8).reshape(len(labels), *part.shape)
            for index, label in enumerate(labels):
                yield Item(
                    name=f"{part.name}/{start + index:06d}",
                    label=label,
                    payload=pixels[index],
                    split=part.name,
                )


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except array_damage.ARCHIVE as error:
        raise _refusal(path, f"damaged, or no npz archive: {error}") from None
    except OSError as error:
        raise _refusal(path, error.strerror or "cannot be read") from None


@contextmanager
def _array(
    path: Path, archive: zipfile.ZipFile, name: str
) -> Iterator[tuple[IO[bytes], tuple[int, ...], np.dtype[np.generic]]]:
    """Open an array: yield its bytes from the first value on, its shape and its dtype."""
    try:
        member = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise _refusal(path, f"has no array {name!r}") from None
    if member.compress_type not in _METHODS or member.flag_bits & 1:
        raise _refusal(path, f"{name}: only stored and deflated arrays are read")
    with archive.open(member) as file:
        shape, dtype = _header(path, name, file)
        yield file, shape, dtype


def _header(path: Path, name: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    formats = np.lib.format
    try:
        version = formats.read_magic(file)
        reader = (
            formats.read_array_header_1_0 if version == (1, 0) else formats.read_array_header_2_0
        )
        shape, fortran, dtype = reader(file, max_header_size=_MAX_HEADER)
    except array_damage.PARSER as error:
        raise _refusal(path, f"{name}: {escape(str(error))}") from None
    except array_damage.OTHERS:
        raise _refusal(path, f"{name}: damaged header") from None
    if dtype.hasobject or fortran or not shape or not 1 <= shape[0] <= _MAX_ITEMS:
        order = " in Fortran order" if fortran else ""
        raise _refusal(
            path,
            f"{name} is {dtype} {escape(str(shape))}{order}; expected 1 to {_MAX_ITEMS} "
            "rows in C order",
        )
    return shape, dtype


def _exactly(path: Path, name: str, file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise _refusal(path, f"{name} is shorter than its header says")
    return data


def _refusal(path: Path, problem: str) -> UserError:
    return UserError(f"ingest.path: {escape(path.name)!r}: {problem}")
