"""Read the MNIST family: `train-images-idx3-ubyte`, `t10k-images-idx3-ubyte` and labels.

Plain or gzip. `t10k` is the test split; validation is drawn from `train`. Format: Y. LeCun,
C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits", 1998.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from thawline.errors import UserError
from thawline.ingest.files.archive_reader import check_total
from thawline.ingest.items import MAX_SIDE_PX, Item, Source
from thawline.ingest.labels.labels import Classes, from_numbers
from thawline.runtime.escape import escape

_PARTS = {"train": "train", "t10k": "test"}
_IMAGES, _LABELS = 0x0803, 0x0801
"""Magic numbers: unsigned bytes in three dimensions and in one."""
_MAX_ITEMS = 10**8
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class _IdxPair:
    name: str
    images: Path
    labels: np.ndarray
    height: int
    width: int


def read(path: Path, *, classes: list[str] | None = None) -> Source:
    """Read a folder of IDX files: labels at once, images in pieces as they are asked for.

    Args:
        path: the folder.
        classes: class names in the order of the labels; the numbers by default. A number without
            an image is no class.

    Raises:
        UserError: a file is missing, damaged, of another format or longer than its partner; here,
            or when the piece is reached.
    """
    parts = [_part(path, name) for name in _PARTS if name == "train" or _find(path, name, "images")]
    found = from_numbers(classes, (k for part in parts for k in np.unique(part.labels).tolist()))
    return Source(
        classes=found.names,
        items=(item for part in parts for item in _items(part, found)),
        num_items=sum(len(part.labels) for part in parts),
        empty_classes=found.absent,
        remarks=found.remarks,
    )


def _part(path: Path, name: str) -> _IdxPair:
    images, labels = _find(path, name, "images"), _find(path, name, "labels")
    if images is None or labels is None:
        kind = "images-idx3" if images is None else "labels-idx1"
        raise UserError(
            f"ingest.path: {escape(str(path))!r} has no {name}-{kind}-ubyte or "
            f"{name}-{kind}-ubyte.gz"
        )
    with _opened(labels) as file:
        (count,) = _header(file, labels, _LABELS)
        values = np.frombuffer(_exactly(file, labels, count), dtype=np.uint8)
        _check_end(file, labels)
    with _opened(images) as file:
        num_images, height, width = _header(file, images, _IMAGES)
    if images.suffix == ".gz":
        check_total(images, num_images * height * width)
    if num_images != count:
        raise UserError(f"ingest.path: {num_images} images, but {count} labels for {name}")
    return _IdxPair(name=name, images=images, labels=values, height=height, width=width)


def _find(path: Path, part: str, kind: str) -> Path | None:
    number = 3 if kind == "images" else 1
    for joint in "-.":  # some copies were renamed on the way
        for suffix in ("", ".gz"):
            file = path / f"{part}-{kind}{joint}idx{number}-ubyte{suffix}"
            if file.is_file():
                return file
    return None


def _items(part: _IdxPair, classes: Classes) -> Iterator[Item]:
    shape = (part.height, part.width)
    step = max(1, _CHUNK_BYTES // (part.height * part.width))
    with _opened(part.images) as file:
        _header(file, part.images, _IMAGES)
        for start in range(0, len(part.labels), step):
            labels = classes.positions(part.labels[start : start + step]).tolist()
            data = _exactly(file, part.images, len(labels) * part.height * part.width)
            pixels = np.frombuffer(data, dtype=np.uint8).reshape(len(labels), *shape)
            for index, label in enumerate(labels):
                yield Item(
                    name=f"{part.name}/{start + index:06d}",
                    label=label,
                    payload=pixels[index],
                    split=_PARTS[part.name],
                )
        _check_end(file, part.images)


def _header(file: BinaryIO, path: Path, magic: int) -> tuple[int, ...]:
    """Read the number of items, then for images height and width in px."""
    found, count = struct.unpack(">2I", _exactly(file, path, 8))
    if found != magic:
        raise _refusal(
            path, f"begins with {found:08x}, not with {magic:08x}: not this kind of file"
        )
    sides = struct.unpack(">2I", _exactly(file, path, 8)) if magic == _IMAGES else ()
    if not 1 <= count <= _MAX_ITEMS or not all(1 <= side <= MAX_SIDE_PX for side in sides):
        size = " x ".join(map(str, (count, *sides)))
        raise _refusal(
            path, f"{size} is not allowed; 1 to {_MAX_ITEMS} items of 1 to {MAX_SIDE_PX} px"
        )
    return (count, *sides)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield cast(BinaryIO, file)
    except (EOFError, zlib.error) as error:
        raise _refusal(path, f"damaged: {error}") from None
    except OSError as error:
        raise _refusal(path, error.strerror or f"damaged: {error}") from None


def _exactly(file: BinaryIO, path: Path, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise _refusal(path, "shorter than its header says")
    return data


def _check_end(file: BinaryIO, path: Path) -> None:
    """Refuse bytes after the last item; this also makes gzip compare its checksum."""
    if file.read(1):
        raise _refusal(path, "longer than its header says")


def _refusal(path: Path, problem: str) -> UserError:
    return UserError(f"ingest.path: {path.name}: {problem}")
