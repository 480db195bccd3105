"""Read colours of 16 bits a channel in full, where Pillow keeps only the high byte.

Needs NumPy and Pillow alone: see `decode`.
"""

import io
import sys
from typing import Any

import numpy as np
from PIL import Image

from thawline.ingest.decoding.limits import DecodeError, raw_modes
from thawline.ingest.decoding.strips import strips

_OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}


def is_deep(image: Image.Image) -> bool:
    """Return True for an opened colour image, not loaded yet, with 16 bits a channel."""
    return len(image.getbands()) > 1 and any(";16" in raw for raw in raw_modes(image))


def needed_bits(image: Image.Image) -> int:
    """Count the bits that the largest value of a loaded image needs, 8 to 16; alpha aside."""
    bands = zip(image.getbands(), image.getextrema(), strict=True)
    return 8 + max(int(high[1]).bit_length() for name, high in bands if name != "A")  # type: ignore[index]


def rescale(image: Image.Image, data: bytes, bit_depth: int) -> None:
    """Rescale a loaded image whose 16-bit values use fewer bits.

    Args:
        image: image of the high bytes; changed in place.
        data: the file.
        bit_depth: bits that the values use, below 16.

    Raises:
        DecodeError: a value needs more bits, or the low bytes cannot be read.
    """
    low = Image.open(io.BytesIO(data), formats=[str(image.format)])
    grey = "LA;16B" in raw_modes(low)
    try:
        low.tile = [tile._replace(args=_swapped(tile.args)) for tile in low.tile]
        low.load()
    except (KeyError, ValueError):
        raise DecodeError(
            f"16 bits of a kind of {image.mode} that ingest.bit_depth {bit_depth} does not scale"
        ) from None
    white, colours = 2**bit_depth - 1, [i for i, name in enumerate(image.getbands()) if name != "A"]
    for top, strip in strips(image):
        part = np.asarray(low.crop((0, top, strip.width, top + strip.height)))
        if grey:  # high and low of grey, high and low of alpha
            part = part[..., [1, 1, 1, 3]]
        values = (np.asarray(strip).astype(np.uint16) << 8) | part
        most = int(values[..., colours].max())
        if most > white:
            raise DecodeError(f"values up to {most}; ingest.bit_depth {bit_depth} has {white}")
        eight = np.rint(np.minimum(values, white) * (255 / white)).astype(np.uint8)
        image.paste(Image.fromarray(eight, image.mode), (0, top))


def _swapped(args: Any) -> Any:
    """Change a decoder's arguments so that it reads the other byte of each value."""
    raw, *rest = args if isinstance(args, tuple) else (args,)
    name, joint, byte = str(raw).partition(";16")
    if raw == "LA;16B":
        other = "RGBA"
    elif not joint or name in ("RGBa", "La"):
        raise ValueError(raw)
    else:
        other = f"{name};16{_OTHER_BYTE[byte]}"
    return (other, *rest) if isinstance(args, tuple) else other
