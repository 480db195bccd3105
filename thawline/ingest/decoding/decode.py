"""Decode untrusted bytes into upright 8-bit sRGB pixels; no other module decodes foreign images.

NumPy and Pillow only: the served model carries this file and those of DECODER beside it, so that
training and serving see the same pixels. Pillow raises on damaged
data where OpenCV returns grey halves and torchvision's decoder crashes; `load()` is needed,
`verify()` passes truncated JPEGs.
"""

import io
import math
import struct
import warnings
import zlib
from dataclasses import dataclass

from PIL import ExifTags, Image, UnidentifiedImageError

from thawline.ingest.decoding import deep_colour
from thawline.ingest.decoding.bit_depth import (
    DEEP,
    WHOLE,
    SampleKind,
    Scale,
    kind_of,
    read_in_native_order,
    scale_of,
    to_grey,
)
from thawline.ingest.decoding.colour import blacken_unseen, converter
from thawline.ingest.decoding.limits import MAX_PIXELS, DecodeError, check, effort_px
from thawline.ingest.decoding.square import Background, fit, over
from thawline.ingest.decoding.strips import converted
from thawline.ingest.decoding.tiff_header import objection

__all__ = [
    "Background", "DecodeError", "Picture", "decode", "effort_px", "fit", "over", "picture",
    "to_rgb",
]  # fmt: skip
DECODER = (
    "decode", "bit_depth", "colour", "deep_colour", "limits", "square", "strips", "tiff_header",
)  # fmt: skip
"""This module and those that it is made of."""
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF")
"""JPEG includes MPO. Pillow's other decoders stay out: some start programs (EPS) or are rarely
exercised."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
_JPEG = b"\xff\xd8"
KNOWN_BY_PX = 128
"""A JPEG is known by its pixels at 1/8, 1/4, 1/2 or 1 of its size: the smallest whose shorter side
has this many. Its decoder shrinks for less than nothing: half as large takes 0.6 of the time."""
_TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF 2.32, 4.6.4 A: what turns the stored image upright."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A decoded file, upright.

    Attributes:
        known_by: image that its hash is computed from, RGB, or RGBA where it is not opaque
            everywhere; independent of the packed size and of the background.
        image: image that `fit` makes square, RGB, over the background.
        width: width of the whole picture, px.
        height: height of the whole picture, px.
        bits: bits that the largest value of a 16-bit file needs, 8 to 16; 0 for other files.
        remark: what a user should know about how its values were read, or None.
    """

    known_by: Image.Image
    image: Image.Image
    width: int
    height: int
    bits: int = 0
    remark: str | None = None

    @property
    def seen(self) -> Image.Image:
        """The picture that `known_by` shows, RGB."""
        # Only a JPEG is packed from other pixels than it is known by, and none has an alpha.
        return self.image if self.known_by.mode == "RGBA" else self.known_by


def picture(
    data: bytes,
    size_px: int,
    mode: str,
    background: Background = (0, 0, 0),
    bit_depth: int = WHOLE,
) -> Picture:
    """Decode an image; of a large JPEG no more than a square of size_px needs.

    Args:
        data: the encoded image.
        size_px: side of the square, px, as in `fit`.
        mode: letterbox, crop or stretch, as in `fit`.
        background: RGB behind transparent pixels.
        bit_depth: bits that the values of 16-bit files use, 8 to 16.

    Raises:
        DecodeError: as `decode` does.
    """
    found = _decode(data, bit_depth, KNOWN_BY_PX)
    width, height = found.width, found.height
    # The longer side of a letterboxed picture fills the square, the shorter one of any other.
    ratio = min(width, height) / max(width, height)
    needed = math.ceil(size_px * ratio) if mode == "letterbox" else size_px
    known_by = found.image
    image = over(known_by, background)
    if data.startswith(_JPEG) and min(known_by.size) < min(needed, width, height):
        image = over(_decode(data, bit_depth, needed).image, background)
    return Picture(
        known_by=known_by,
        image=image,
        width=width,
        height=height,
        bits=found.bits,
        remark=found.remark,
    )


def decode(data: bytes, background: Background = (0, 0, 0)) -> Image.Image:
    """Decode the first frame: EXIF orientation and colour profile applied, alpha composited.

    Returns:
        Pillow image of mode RGB.

    Raises:
        DecodeError: empty, damaged, truncated, too large or not an image of FORMATS.
    """
    return over(_decode(data).image, background)


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """An image decoded from a file.

    Attributes:
        image: upright, RGB, or RGBA where a pixel is not opaque.
        width: width before it was shrunk, upright, px.
        height: height before it was shrunk, upright, px.
        bits: see Scale.
        remark: see Scale.
    """

    image: Image.Image
    width: int
    height: int
    bits: int = 0
    remark: str | None = None


def _decode(data: bytes, bit_depth: int = WHOLE, enough_px: int | None = None) -> _Loaded:
    if not data:
        raise DecodeError("empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a bomb is refused by size below, metadata may be odd
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            width, height = image.size
            if enough_px is not None:
                image.draft(None, (enough_px, enough_px))  # does nothing to other formats
            check(image, data, width, height)
            if image.format == "PNG":
                _check_pixel_data(data)
            return _loaded(image, data, width, height, bit_depth)
    except DecodeError:
        raise
    except Image.DecompressionBombError:
        raise DecodeError(f"more than {MAX_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise DecodeError(objection(data) or "not an image of a known format") from None
    # Pillow's decoders meet damaged headers with any of these.
    except (
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        IndexError,
        KeyError,
        OverflowError,
        RuntimeError,
    ) as error:
        raise DecodeError(f"damaged: {_one_line(error)}") from None
    except (EOFError, ZeroDivisionError, AttributeError, MemoryError, struct.error) as error:
        raise DecodeError(f"damaged: {type(error).__name__}") from None


def _loaded(image: Image.Image, data: bytes, width: int, height: int, bit_depth: int) -> _Loaded:
    kind, is_deep = kind_of(image), deep_colour.is_deep(image)
    read_in_native_order(image)
    image.load()
    scale = scale_of(image, kind, bit_depth) if image.mode in DEEP else None
    bits, remark = (scale.bits, scale.remark) if scale else (0, None)
    if is_deep:
        bits = deep_colour.needed_bits(image)
        if bit_depth < WHOLE:
            deep_colour.rescale(image, data, bit_depth)
        if isinstance(image.info.pop("transparency", None), tuple):
            remark = "a transparent colour of 16 bits, which is not left out"
    turn = image.getexif().get(ExifTags.Base.Orientation)
    rgb = _eight_bits(image, kind, scale)
    if turn in _TURNS:
        rgb = rgb.transpose(_TURNS[turn])
    if turn in _TURNED:
        width, height = height, width
    return _Loaded(image=rgb, width=width, height=height, bits=bits, remark=remark)


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a loaded image of any Pillow mode to RGB, or to RGBA where a pixel is not opaque.

    Raises:
        DecodeError: values that are not finite, or outside of every scale.
    """
    if image.mode in ("L", "RGB") and not image.info:
        return image.convert("RGB")  # an array's: nothing to look for
    kind = kind_of(image)
    scale = scale_of(image, kind) if image.mode in DEEP else None
    return _eight_bits(image, kind, scale)


def _eight_bits(image: Image.Image, kind: SampleKind, scale: Scale | None) -> Image.Image:
    if scale is None:
        return blacken_unseen(converted(image, converter(image, image.format)))
    grey, to_rgb = to_grey(image, kind, scale), converter(Image.new("LA", (1, 1)))
    return blacken_unseen(converted(image, lambda part: to_rgb(grey(part))))


def _check_pixel_data(png: bytes) -> None:
    """Check the checksums of a PNG's pixel data.

    Pillow skips them: a tenth of single flipped bits passed it.
    """
    at = 8
    while at + 8 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        content, after = slice(at + 4, at + 8 + length), at + 8 + length
        if png[at + 4 : at + 8] == b"IDAT":
            expected = zlib.crc32(png[content]).to_bytes(4, "big")
            if png[after : after + 4] != expected:
                raise DecodeError("damaged: wrong checksum of the pixels")
        at = after + 4


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
