"""What is known of an image by its bytes alone, wherever it lies and whatever its label."""

import hashlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from thawline.data.decode import Background, Picture, fit, picture, to_rgb
from thawline.data.encoding import encode
from thawline.data.looks import Looks, measure
from thawline.data.notes import note


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """How an image becomes a packed square."""

    image_size_px: int
    fit: str
    background: Background
    encoding: str = "raw"
    """See `encoding.encode`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """One image, decoded.

    Attributes:
        pixels: uint8 (S, S, 3), or with encoding jpeg its bytes, uint8 (L,).
        sha256: of the upright RGB pixels and their shape; of a large JPEG at a fixed fraction of
            its size, see decode.KNOWN_BY_PX.
        note: what is odd about the file.
    """

    pixels: np.ndarray
    sha256: str
    width: int
    height: int
    looks: Looks
    note: str | None


def content(name: str, data: bytes | np.ndarray, geometry: Geometry) -> Content:
    """Decode, fit and measure one image.

    Args:
        name: only its suffix counts, and only for the note.
        data: an encoded image, or pixels: uint8 (H, W) or (H, W, 3).

    Raises:
        DecodeError: see decode.decode.
    """
    opened = _open(data, geometry)
    known_by = np.asarray(opened.known_by)
    digest = hashlib.sha256(repr(known_by.shape).encode())
    digest.update(np.ascontiguousarray(known_by).data)
    square = fit(opened.image, geometry.image_size_px, geometry.fit, geometry.background)
    return Content(
        pixels=encode(square, geometry.encoding),
        sha256=digest.hexdigest(),
        width=opened.width,
        height=opened.height,
        looks=measure(opened.known_by),
        note=note(name, data) if isinstance(data, bytes) else None,
    )


def _open(data: bytes | np.ndarray, geometry: Geometry) -> Picture:
    if isinstance(data, np.ndarray):
        image = to_rgb(Image.fromarray(data), geometry.background)
        return Picture(known_by=image, image=image, width=image.width, height=image.height)
    return picture(data, geometry.image_size_px, geometry.fit, geometry.background)
