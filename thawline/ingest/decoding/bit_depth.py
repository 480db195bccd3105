"""Convert channels of more than 8 bits to 8 bits, and find the scale of their values.

A scale is never guessed from where one value falls: what is a little outside of 0..1 or 0..255 is
clipped, what is far outside is refused with its values. NumPy and Pillow only: see `decode`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from thawline.ingest.decoding.limits import DecodeError, raw_modes, tiles
from thawline.ingest.decoding.strips import strips

DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
"""Pillow's modes of one channel of more than 8 bits."""
WHOLE = 16
"""Bits of a 16-bit file that uses all of them."""
_OVERSHOOT = 0.1
"""Share of a scale by which a value may leave it: what resampling and sharpening leave behind."""
_LEAST = 1 / 16
"""Share of a scale that the largest value must reach, where the scale has to be told by it."""
_BLACK_IS_ZERO, _WHITE_IS_ZERO, _UNSIGNED, _SIGNED, _FLOAT = 1, 0, (1,), (2,), (3,)


def _known_to_tiff() -> None:
    """Teach Pillow the kinds of grey TIFF that differ from known ones only in a flag."""
    known = TiffImagePlugin.OPEN_INFO
    deep = {(_UNSIGNED, 12), (_UNSIGNED, 16), (_SIGNED, 16), (_UNSIGNED, 32), (_SIGNED, 32)}
    for kind, bits in (*deep, (_FLOAT, 32)):
        for order, letter in ((b"II", ""), (b"MM", "B")):
            raw = {
                (_UNSIGNED, 12): ("I;16", "I;12"),
                (_UNSIGNED, 16): (f"I;16{letter}", f"I;16{letter}"),
                (_SIGNED, 16): ("I", f"I;16{letter}S"),
                (_UNSIGNED, 32): ("I", f"I;32{letter}S"),
                (_SIGNED, 32): ("I", f"I;32{letter}S"),
                (_FLOAT, 32): ("F", f"F;32{letter}F"),
            }[kind, bits]
            for zero in (_BLACK_IS_ZERO, _WHITE_IS_ZERO):
                known.setdefault((order, zero, kind, 1, (bits,), ()), raw)


_known_to_tiff()


@dataclass(frozen=True, kw_only=True)
class SampleKind:
    """Properties of a file's values, as its header gives them.

    Attributes:
        bits: bits of each value as stored.
        white_is_zero: True for a negative.
        fixed: True where the values fill their bits by definition, so that no file uses fewer.
        unsigned: True where negative 32-bit values stand for large ones.
    """

    bits: int
    white_is_zero: bool = False
    fixed: bool = False
    unsigned: bool = False


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Mapping of one image's values to 8 bits.

    Attributes:
        white: value that becomes 255, or 0 in a negative; 0 is the other end.
        bits: bits that the largest value of a 16-bit file needs; 0: the scale is known otherwise.
        remark: what a user should know about the conversion, or None.
    """

    white: float
    bits: int = 0
    remark: str | None = None


def kind_of(image: Image.Image) -> SampleKind:
    """Read the kind of values from the header of an opened image that is not loaded yet.

    Raises:
        DecodeError: Pillow would read the values as something else.
    """
    if image.format != "TIFF":
        scaled = any(one[0] in ("ppm", "ppm_plain") for one in tiles(image))
        deep = any(";16" in raw for raw in raw_modes(image)) or image.mode in DEEP
        return SampleKind(bits=16 if deep else 8, fixed=scaled)
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    bits, form, photometric = (_first(tags.get(tag, default)) for tag, default in _TAGS)
    if bits == 8 and form == _SIGNED[0]:
        raise DecodeError("a TIFF of signed 8-bit values; unsigned ones are read")
    apart = tags.get(284) == 2 and len(image.getbands()) > 1
    if bits == 16 and apart and any(one[0] == "raw" for one in tiles(image)):
        raise DecodeError("a TIFF of 16 bits with its channels apart, not compressed")
    return SampleKind(
        bits=bits,
        white_is_zero=photometric == _WHITE_IS_ZERO and image.mode in DEEP,
        fixed=bits == 12,
        unsigned=bits == 32 and form == _UNSIGNED[0],
    )


_TAGS = ((258, 1), (339, 1), (262, 1))


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)


def read_in_native_order(image: Image.Image) -> None:
    """Make Pillow read a compressed TIFF in the machine's byte order, as libtiff delivers it.

    Pillow does so only for unsigned 16-bit values: others would come out with bytes swapped.
    """
    opened: Any = image
    if image.mode in DEEP and any(one[0] == "libtiff" for one in tiles(image)):
        opened.tile = [
            one._replace(args=(_NATIVE.get(one.args[0], one.args[0]), *one.args[1:]))
            for one in opened.tile
        ]


_NATIVE = {
    "I;16S": "I;16NS", "I;16BS": "I;16NS", "I;32S": "I;32NS", "I;32BS": "I;32NS",
    "F;32F": "F;32NF", "F;32BF": "F;32NF",
}  # fmt: skip


def scale_of(image: Image.Image, kind: SampleKind, bit_depth: int = WHOLE) -> Scale:
    """Find the scale of a loaded image of a mode in DEEP.

    Args:
        image: the loaded image.
        kind: kind of its values, from `kind_of`.
        bit_depth: bits that the values of 16-bit files use, 8 to 16.

    Raises:
        DecodeError: values that are not finite, or lie far outside of every scale.
    """
    least, most = _extremes(image, kind)
    if image.mode == "F":
        return _float_scale(least, most)
    if kind.fixed:
        return Scale(white=4095 if kind.bits == 12 else 65535)
    white = 2**bit_depth - 1
    sixteen = Scale(white=white, bits=max(8, int(most).bit_length()))
    if image.mode != "I" or image.format == "PPM":
        if most > white:
            raise _refusal(least, most, bit_depth)
        return sixteen
    if least < 0 or most > white or 255 * (1 + _OVERSHOOT) < most < white * _LEAST:
        raise _refusal(least, most, bit_depth)
    return sixteen if most > 255 * (1 + _OVERSHOOT) else Scale(white=255, remark=_clips(most > 255))


def _float_scale(least: float, most: float) -> Scale:
    for white, reached in ((1, 0), (255, _LEAST)):
        if -_OVERSHOOT * white <= least and reached * white <= most <= (1 + _OVERSHOOT) * white:
            return Scale(white=white, remark=_clips(least < 0 or most > white))
    raise DecodeError(f"values from {least:.6g} to {most:.6g}; expected 0 to 1 or 0 to 255")


def _refusal(least: float, most: float, bit_depth: int) -> DecodeError:
    scales = f"0 to 255 or 0 to {2**bit_depth - 1}, by ingest.bit_depth {bit_depth}"
    return DecodeError(f"values from {least:.6g} to {most:.6g}; expected {scales}")


def _clips(clipped: bool) -> str | None:
    return "values a little outside of their scale, which were clipped" if clipped else None


def _extremes(image: Image.Image, kind: SampleKind) -> tuple[float, float]:
    """Find the smallest and the largest value of an image."""
    found = []
    for _, strip in strips(image):
        values = _values(strip, kind)
        if image.mode == "F" and not np.isfinite(values).all():
            raise DecodeError("values that are not finite")
        found.append((float(values.min()), float(values.max())))
    lows, highs = zip(*found, strict=True)
    return min(lows), max(highs)


def _values(image: Image.Image, kind: SampleKind) -> np.ndarray:
    values = np.asarray(image)
    return values.view(np.uint32) if kind.unsigned and image.mode == "I" else values


def to_grey(
    image: Image.Image, kind: SampleKind, scale: Scale
) -> Callable[[Image.Image], Image.Image]:
    """Build the conversion of strips of an image of a mode in DEEP to mode L.

    It gives mode LA where the image has a transparent value.
    """
    transparent = image.info.get("transparency")
    table = _table(int(scale.white), kind.white_is_zero) if image.mode.startswith("I;16") else None

    def convert(strip: Image.Image) -> Image.Image:
        values = _values(strip, kind)
        if table is not None:
            grey = table[values]
        else:
            share = np.clip(values.astype(np.float64), 0, scale.white)
            share = scale.white - share if kind.white_is_zero else share
            grey = np.rint(share * (255 / scale.white)).astype(np.uint8)
        if not isinstance(transparent, int):
            return Image.fromarray(grey)
        return Image.fromarray(np.dstack([grey, (values != transparent) * np.uint8(255)]), "LA")

    return convert


@cache
def _table(white: int, inverted: bool) -> np.ndarray:
    """Tabulate the 8-bit value of each 16-bit value, uint8 (65536,)."""
    values = np.minimum(np.arange(65536, dtype=np.float64), white)
    values = white - values if inverted else values
    return np.rint(values * 255 / white).astype(np.uint8)
