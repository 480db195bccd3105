"""Prepare an image from its bytes alone, independent of its place and label."""

import hashlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from thawline.dataset.encoding import encode
from thawline.ingest.decoding.bit_depth import WHOLE
from thawline.ingest.decoding.decode import Background, Picture, fit, over, picture, to_rgb
from thawline.ingest.decoding.image_stats import Looks, is_one_colour, measure
from thawline.ingest.format_warnings import note

OPAQUE, TRANSPARENT, INVISIBLE, LOST = TRANSPARENCIES = ("none", "some", "all", "lost")
"""Of an image: every pixel is opaque; some are not; none shows anything; what the opaque ones show
has the colour of the background that they lie on, so that nothing is left to see."""


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Parameters that turn an image into a packed square."""

    image_size_px: int
    fit: str
    background: Background
    encoding: str = "raw"
    """See `encoding.encode`."""
    bit_depth: int = WHOLE
    """Bits that the values of 16-bit files use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedImage:
    """One decoded image.

    Attributes:
        pixels: uint8 (S, S, 3), or with encoding jpeg its bytes, uint8 (L,).
        sha256: hash of the upright pixels and their shape, RGB, or RGBA where some are not opaque,
            independent of the background; for a large JPEG at a fixed fraction of its size, see
            decode.KNOWN_BY_PX.
        transparency: one of TRANSPARENCIES.
        note: what is odd about the file, or None.
        bits: see decode.Picture.
    """

    pixels: np.ndarray
    sha256: str
    width: int
    height: int
    looks: Looks
    transparency: str
    note: str | None
    bits: int


def content(name: str, data: bytes | np.ndarray, geometry: Geometry) -> PreparedImage:
    """Decode, fit and measure one image.

    Args:
        name: file name; only its suffix counts, and only for the note.
        data: an encoded image, or pixels: uint8 (H, W), (H, W, 3) or (H, W, 4).
        geometry: size, fit, background and encoding of the result.

    Raises:
        DecodeError: see decode.decode.
    """
    opened = _open(data, geometry)
    known_by = np.asarray(opened.known_by)
    digest = hashlib.sha256(repr(known_by.shape).encode())
    digest.update(np.ascontiguousarray(known_by).data)
    square = fit(opened.image, geometry.image_size_px, geometry.fit, geometry.background)
    looks = measure(opened.seen)
    return PreparedImage(
        pixels=encode(square, geometry.encoding),
        sha256=digest.hexdigest(),
        width=opened.width,
        height=opened.height,
        looks=looks,
        transparency=_transparency(opened.known_by, looks),
        note=opened.remark or (note(name, data) if isinstance(data, bytes) else None),
        bits=opened.bits,
    )


def _open(data: bytes | np.ndarray, geometry: Geometry) -> Picture:
    if isinstance(data, np.ndarray):
        known_by = to_rgb(Image.fromarray(data))
        image = over(known_by, geometry.background)
        return Picture(known_by=known_by, image=image, width=image.width, height=image.height)
    return picture(
        data, geometry.image_size_px, geometry.fit, geometry.background, geometry.bit_depth
    )


def _transparency(image: Image.Image, looks: Looks) -> str:
    """Classify the effect of alpha on a picture, given its looks over the background."""
    if image.mode == "RGB":
        return OPAQUE
    if image.getchannel("A").getextrema()[1] == 0:
        return INVISIBLE
    return LOST if looks.one_colour and not is_one_colour(image) else TRANSPARENT
