"""Survey a sample of a source before it is packed: sizes, transparency, colours beside it.

Headers are read, and a few of the images with an alpha decoded; in one process and without a cache,
so that what follows from it depends on the images alone.
"""

import io
import os
import stat
import struct
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from thawline.ingest.decoding.decode import FORMATS, DecodeError, picture, to_rgb
from thawline.ingest.files.file_filter import read_regular
from thawline.ingest.items import Item, Reject, Source
from thawline.runtime.links import open_unlinked

MOST_HEADERS = 5000
"""Images whose headers are read, to twice as many: 0.1 ms each where they lie in memory."""
MOST_DECODED = 64
"""Images with an alpha that are decoded, to twice as many: some 10 ms each."""
_POINTS = 64
"""Points along an image's width and height at which its colour is read."""
_OPAQUE = 128
"""Least alpha of a pixel whose own colour is seen more than what lies behind it."""

Payload = Path | bytes | np.ndarray
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Properties of a sample of the images.

    Attributes:
        widths: px, int64 (N,), of files as stored, before an EXIF orientation.
        heights: px, int64 (N,), likewise.
        num_alpha: number of images in the sample with an alpha channel or a transparent colour.
        colours: opaque pixels of some of the images that are not wholly opaque, RGB, uint8 (M, 3).
    """

    widths: np.ndarray
    heights: np.ndarray
    num_alpha: int
    colours: tuple[np.ndarray, ...]


class Header(NamedTuple):
    """Size and transparency of an image before it is decoded; sides in px."""

    width: int
    height: int
    alpha: bool


class Spread(Generic[T]):
    """Sampler that keeps every 2nd, 4th, 8th ... of a stream: at most twice as many as `most`."""

    def __init__(self, most: int) -> None:
        self.kept: list[T] = []
        self._most, self._step, self._seen = most, 1, 0

    def is_next(self) -> bool:
        """Count one more; return True where it is one to keep."""
        self._seen += 1
        return (self._seen - 1) % self._step == 0

    def keep(self, one: T) -> None:
        """Keep the current one, and drop every second when there are too many."""
        self.kept.append(one)
        if len(self.kept) > 2 * self._most:
            self.kept = self.kept[::2]
            self._step *= 2


def spread(source: Source) -> Iterable[Item | Reject]:
    """Return the items of a source, or a spread sample where making each is expensive."""
    step = (source.num_items or 0) // MOST_HEADERS
    return source.every(step) if source.every and step > 1 else source.items


def survey(items: Iterable[Item | Reject]) -> Survey:
    """Survey images spread evenly over the items; unusable ones are passed over.

    Memory is bounded, however long the source is. The items of a source are walked once: whoever
    packs them reads it anew.
    """
    looked = Spread[Header | None](MOST_HEADERS)
    decoded = Spread[np.ndarray | None](MOST_DECODED)
    for item in items:
        if not looked.is_next():
            continue
        header = None if isinstance(item, Reject) else read_header(item.payload)
        looked.keep(header)
        if isinstance(item, Item) and header and header.alpha and decoded.is_next():
            decoded.keep(_opaque_colours(item.payload))
    headers = [header for header in looked.kept if header]
    return Survey(
        widths=np.array([header.width for header in headers], dtype=np.int64),
        heights=np.array([header.height for header in headers], dtype=np.int64),
        num_alpha=sum(header.alpha for header in headers),
        colours=tuple(found for found in decoded.kept if found is not None),
    )


def read_header(payload: Payload) -> Header | None:
    """Read an image's size and whether it has an alpha; None where it is no image."""
    if isinstance(payload, np.ndarray):
        return Header(payload.shape[1], payload.shape[0], payload.shape[2:] == (4,))
    try:
        if isinstance(payload, bytes):
            return _header(io.BytesIO(payload))
        number = open_unlinked(payload)
        with os.fdopen(number, "rb") as file:
            return _header(file) if stat.S_ISREG(os.fstat(number).st_mode) else None
    # Pillow meets damaged headers with any of these; packing says what is wrong.
    except (OSError, EOFError, SyntaxError, ValueError, TypeError, KeyError, IndexError):
        return None
    except (OverflowError, AttributeError, MemoryError, ZeroDivisionError):
        return None
    except (struct.error, RuntimeError, Image.DecompressionBombError):
        return None


def _header(file: IO[bytes]) -> Header:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(file, formats=FORMATS)
    alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    return Header(*image.size, alpha)


def _opaque_colours(payload: Payload) -> np.ndarray | None:
    """Return the colours of an image's opaque pixels, uint8 (M, 3).

    None where the image is wholly opaque, or nowhere.
    """
    try:
        if isinstance(payload, np.ndarray):
            image = to_rgb(Image.fromarray(payload))
        else:
            data = read_regular(payload, follow=False) if isinstance(payload, Path) else payload
            image = picture(data, _POINTS, "stretch").known_by
    except (OSError, DecodeError):
        return None
    if image.mode != "RGBA":
        return None
    points = np.asarray(image.resize((_POINTS, _POINTS), Image.Resampling.NEAREST)).reshape(-1, 4)
    colours = points[points[:, 3] >= _OPAQUE, :3]
    return colours if len(colours) else None
