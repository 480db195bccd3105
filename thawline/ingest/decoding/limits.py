"""Limit the memory and time for decoding one image, by its header, before a pixel is decoded.

NumPy and Pillow only: see `decode`, beside which the served model carries this file.
"""

from typing import Any

from PIL import Image

MAX_PIXELS = 178_956_970
"""Pillow's own limit for a decompression bomb."""
MAX_AVIF_PIXELS = 40_000_000
"""Limit for AVIF, whose decoder takes 9 bytes a pixel (36 million: 316 MB), more for deep ones."""
MAX_SIDE_PX = 2**20
MAX_HELD_BYTES = 440 * 2**20
"""Bytes of a file and its pixels while it is decoded: the process stays below 0.7 GB."""
MAX_SLOW_PIXELS = 2_000_000
"""Limit for formats that Pillow decodes in Python: up to 1.7 us a pixel."""
MAX_SCANS = 100
"""Scans of a progressive JPEG; encoders write some 10. Each goes over the whole picture."""
_SLOW = ("ppm", "ppm_plain", "bmp_rle")
SLOW_FACTOR = 40
"""Time of a pixel of those, relative to one of the slowest of the other formats (35 ns)."""
_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Per pixel in Pillow's memory; 4 in all other modes."""
_WEBP_BYTES = 16
"""Per pixel: libwebp keeps the canvas, the frame and a copy beside Pillow's image."""
_COEFFICIENT_BYTES = 2
_BLOCKS = {"L": 1, "RGB": 3, "YCbCr": 3, "CMYK": 4}
"""Channels of a JPEG, whose coefficients a progressive one keeps until the last scan."""


class DecodeError(ValueError):
    """Raised for bytes that are not a usable image; the message says why, in a few words."""


def check(image: Image.Image, data: bytes, width: int, height: int) -> None:
    """Refuse an opened image that would take too much memory or time.

    Args:
        image: opened, not loaded; a JPEG drafted to the size that is needed.
        data: the file.
        width: width of the whole picture, px.
        height: height of the whole picture, px.

    Raises:
        DecodeError: with the size and the limit.
    """
    size = f"{width} x {height} px"
    most = MAX_AVIF_PIXELS if image.format == "AVIF" else MAX_PIXELS
    if width * height > most:
        kind = " of an AVIF file" if image.format == "AVIF" else ""
        raise DecodeError(f"{size} is more than {most} pixels{kind}")
    if max(width, height) > MAX_SIDE_PX:
        raise DecodeError(f"{size}; a side has at most {MAX_SIDE_PX}")
    if width * height > MAX_SLOW_PIXELS and any(one[0] in _SLOW for one in tiles(image)):
        kind = {"BMP": "a run-length BMP"}.get(str(image.format), "a PPM as text or of odd depth")
        raise DecodeError(f"{size} of {kind}; at most {MAX_SLOW_PIXELS} pixels")
    held = len(data) + held_bytes(image, width, height)
    if held > MAX_HELD_BYTES:
        raise DecodeError(
            f"{size} of {image.format}, mode {image.mode}, take {held >> 20} MiB to decode; "
            f"at most {MAX_HELD_BYTES >> 20}"
        )
    if _is_progressive(image) and data.count(b"\xff\xda") > MAX_SCANS:
        raise DecodeError(f"a JPEG of more than {MAX_SCANS} scans")


def effort_px(image: Image.Image) -> int:
    """Count an opened image's pixels, times SLOW_FACTOR where Pillow decodes in Python."""
    slow = any(one[0] in _SLOW for one in tiles(image))
    return int(image.width * image.height) * (SLOW_FACTOR if slow else 1)


def held_bytes(image: Image.Image, width: int, height: int) -> int:
    """Estimate the bytes that Pillow and its decoder hold while they load an opened image."""
    drawn = image.width * image.height * _BYTES.get(image.mode, 4)
    if image.format == "WEBP":
        return width * height * _WEBP_BYTES
    if _is_progressive(image):
        blocks = width * height * _BLOCKS.get(image.mode, 4) * _COEFFICIENT_BYTES
        return drawn + blocks // (2 if _is_subsampled(image) else 1)
    if image.format == "TIFF" and any(one[0] == "libtiff" for one in tiles(image)):
        return drawn + _strip_bytes(image, width, height)
    return drawn


def tiles(image: Image.Image) -> list[Any]:
    """List the tiles of an opened image: decoder name, box, offset, arguments of each."""
    return list(getattr(image, "tile", ()))


def raw_modes(image: Image.Image) -> list[str]:
    """List the raw mode of each tile, in Pillow's words."""
    found = (one[3] for one in tiles(image))
    return [str(args[0] if isinstance(args, tuple) and args else args) for args in found]


def _is_progressive(image: Image.Image) -> bool:
    return image.format in ("JPEG", "MPO") and bool(image.info.get("progressive"))


def _is_subsampled(image: Image.Image) -> bool:
    """Return True where two channels have a quarter of the first one's coefficients."""
    layers: list[tuple[int, ...]] = getattr(image, "layer", [])
    return [tuple(layer[1:3]) for layer in layers] == [(2, 2), (1, 1), (1, 1)]


def _strip_bytes(image: Image.Image, width: int, height: int) -> int:
    """Compute the bytes of one strip or tile, which libtiff unpacks whole."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits = tags.get(258, (1,))
    depth = sum(bits) if isinstance(bits, tuple) else int(bits)
    rows = min(int(tags.get(278, height)), height)
    pixels = int(tags[322]) * int(tags[323]) if 322 in tags and 323 in tags else width * rows
    return pixels * depth // 8
