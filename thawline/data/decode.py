"""A stranger's bytes to upright 8-bit sRGB pixels; the only place that decodes foreign images.

NumPy and Pillow only: the served model carries this file, so that training and serving see the
same pixels. Pillow raises on damaged data where OpenCV returns grey halves and torchvision's
decoder crashes; `load()` is needed, `verify()` passes truncated JPEGs.
"""

import io
import math
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF")
"""JPEG includes MPO. Pillow's other decoders stay out: some start programs (EPS) or are rarely
exercised."""
MAX_PIXELS = 178_956_970
"""Pillow's own limit for a decompression bomb: about half a gigabyte of RGB."""
MAX_AVIF_PIXELS = 40_000_000
"""Its decoder takes 9 bytes a pixel (36 million: 316 MB), and more where they are deep."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
Background = tuple[int, int, int]
KNOWN_BY_PX = 128
"""A JPEG is known by its pixels at 1/8, 1/4, 1/2 or 1 of its size: the smallest whose shorter side
has this many. Its decoder shrinks for less than nothing: half as large takes 0.6 of the time."""
_TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""


class DecodeError(ValueError):
    """The bytes are no image that can be used; the message says why, in a few words."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A decoded file, upright.

    Attributes:
        known_by: what its hash is taken of, RGB, or RGBA where it is not opaque everywhere; the
            same whatever size it is packed at and whatever lies behind it.
        image: what `fit` makes square, RGB, over the background.
        width, height: of the whole picture, px.
    """

    known_by: Image.Image
    image: Image.Image
    width: int
    height: int

    @property
    def seen(self) -> Image.Image:
        """What `known_by` looks like, RGB."""
        # Only a JPEG is packed from other pixels than it is known by, and none has an alpha.
        return self.image if self.known_by.mode == "RGBA" else self.known_by


def picture(data: bytes, size_px: int, mode: str, background: Background = (0, 0, 0)) -> Picture:
    """Decode no more of a large JPEG than a square of size_px needs.

    Args:
        size_px, mode: as `fit` takes them.

    Raises:
        DecodeError: as `decode` does.
    """
    known_by, (width, height) = _decode(data, KNOWN_BY_PX)
    # The longer side of a letterboxed picture fills the square, the shorter one of any other.
    ratio = min(width, height) / max(width, height)
    needed = math.ceil(size_px * ratio) if mode == "letterbox" else size_px
    image = over(known_by, background)
    if known_by.size != (width, height) and min(known_by.size) < needed:
        image, _ = _decode(data, needed)
    return Picture(known_by=known_by, image=image, width=width, height=height)


def decode(data: bytes, background: Background = (0, 0, 0)) -> Image.Image:
    """First frame, EXIF orientation applied, colour profile converted, alpha composited.

    Returns:
        Pillow image of mode RGB.

    Raises:
        DecodeError: empty, damaged, truncated, too large or not an image of FORMATS.
    """
    return over(_decode(data)[0], background)


def _decode(data: bytes, enough_px: int | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """Decode to what `shown` gives, with the upright width and height before a JPEG was shrunk."""
    if not data:
        raise DecodeError("empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a bomb is refused by size below, metadata may be odd
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            _check_size(image)
            if image.format == "PNG":
                _check_pixel_data(data)
            width, height = image.size
            if enough_px is not None:
                image.draft(None, (enough_px, enough_px))  # does nothing to other formats
            image.load()
            turned = image.getexif().get(ExifTags.Base.Orientation) in _TURNED
            upright = shown(ImageOps.exif_transpose(image), image.format)
            return upright, (height, width) if turned else (width, height)
    except DecodeError:
        raise
    except Image.DecompressionBombError:
        raise DecodeError(f"more than {MAX_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise DecodeError("not an image of a known format") from None
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


def shown(image: Image.Image, kind: str | None = None) -> Image.Image:
    """Turn any Pillow mode into RGB, or RGBA where a pixel is not opaque.

    16-bit and float values are scaled, profiles converted. Under alpha = 0 all colours become
    black: nobody sees them.

    Args:
        kind: format of the file, as Pillow names it.
    """
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return _from_deep(image)
    if "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    # After the palette: a profile speaks of colours, not of their indices.
    image = _from_profile(image)
    if image.mode == "LAB":
        return _from_lab(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return _from_alpha(image.convert("RGBA"), kind)
    return image.convert("RGB")


def over(image: Image.Image, background: Background) -> Image.Image:
    """Composite an RGBA image over a colour; one of mode RGB is returned as it is."""
    if image.mode == "RGB":
        return image
    canvas = Image.new("RGBA", image.size, (*background, 255))
    return Image.alpha_composite(canvas, image).convert("RGB")


def fit(
    image: Image.Image, size_px: int, mode: str, background: Background = (0, 0, 0)
) -> np.ndarray:
    """Make an image square.

    Args:
        image: Pillow image of mode RGB.
        size_px: side of the result.
        mode: letterbox (whole image, bars of the background), crop (centre), stretch.

    Returns:
        uint8 (size_px, size_px, 3).
    """
    width, height = image.size
    if mode == "stretch":
        return np.asarray(_resize(image, (size_px, size_px)))
    chosen = max(width, height) if mode == "letterbox" else min(width, height)
    scaled = [max(1, round(side * size_px / chosen)) for side in (width, height)]
    if mode == "crop":
        return np.asarray(_centre_crop(image, size_px))
    canvas = Image.new("RGB", (size_px, size_px), background)
    resized = _resize(image, (scaled[0], scaled[1]))
    canvas.paste(resized, ((size_px - scaled[0]) // 2, (size_px - scaled[1]) // 2))
    return np.asarray(canvas)


def _centre_crop(image: Image.Image, size_px: int) -> Image.Image:
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    # Cropping while resizing never makes a 64 x 320,000 intermediate from a 1 x 5,000 strip.
    return image.resize(
        (size_px, size_px), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
    )


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    # Averages whole blocks first, down to twice the size: half the time of a gap of 3.
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    most = MAX_AVIF_PIXELS if image.format == "AVIF" else MAX_PIXELS
    if width * height > most:
        kind = " of an AVIF file" if image.format == "AVIF" else ""
        raise DecodeError(f"{width} x {height} px is more than {most} pixels{kind}")


def _check_pixel_data(png: bytes) -> None:
    """Pillow skips the checksum of a PNG's pixels: a tenth of single flipped bits passed it."""
    at = 8
    while at + 8 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        content, after = slice(at + 4, at + 8 + length), at + 8 + length
        if png[at + 4 : at + 8] == b"IDAT":
            expected = zlib.crc32(png[content]).to_bytes(4, "big")
            if png[after : after + 4] != expected:
                raise DecodeError("damaged: wrong checksum of the pixels")
        at = after + 4


def _from_deep(image: Image.Image) -> Image.Image:
    """More than 8 bits a channel. `convert("RGB")` would saturate at 255 instead of scaling."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise DecodeError("values that are not finite")
    if image.mode == "F":
        scale = 255.0 if values.min() >= 0 and values.max() <= 1 else 1.0
    else:
        scale = 1 / 257 if image.mode.startswith("I;16") or values.max() > 255 else 1.0
    grey = np.clip(np.rint(values * scale), 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _from_profile(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L", "LAB"):
        return image
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a broken profile does not make the pixels unusable
    return converted if converted is not None else image


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if converted is None:
        raise DecodeError("Lab colours that cannot be converted")
    return converted


def _from_alpha(image: Image.Image, kind: str | None) -> Image.Image:
    alpha = image.getchannel("A")
    values = np.asarray(alpha)
    least, most = int(values.min()), int(values.max())
    # Programs that know no alpha leave the fourth byte of a BMP's pixels 0: browsers show the
    # colours. Of other formats none does so, and what is wholly transparent is.
    if least == 255 or (most == 0 and kind == "BMP"):
        return image.convert("RGB")
    if least > 0:
        return image
    bare = Image.new("RGBA", image.size, (0, 0, 0, 0))
    bare.paste(image, mask=alpha.point([0] + [255] * 255))
    return bare


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
