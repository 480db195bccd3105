"""Process large images one strip of rows at a time, without a second whole copy in memory."""

import math
from collections.abc import Callable, Iterator

from PIL import Image

LARGE_PIXELS = 2**24
"""Above, an image is averaged over whole blocks to about as many, before anything else: a network
sees 1,024 x 1,024 at most. A JPEG's decoder does so for less than nothing."""
_STRIP_PIXELS = 2**20


def strips(image: Image.Image, multiple: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Yield the first row of each strip, and the strip; a small image is a single strip.

    Args:
        image: the loaded image.
        multiple: the rows of each strip but the last are a multiple of this.
    """
    width, height = image.size
    rows = max(1, _STRIP_PIXELS // (width * multiple)) * multiple
    if rows >= height or width * height <= _STRIP_PIXELS:
        yield 0, image
        return
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))


def converted(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Convert an image; one of more than LARGE_PIXELS is averaged over blocks.

    Args:
        image: the loaded image.
        convert: converts a strip pixel by pixel to mode RGB or RGBA; the mode may differ between
            strips.
    """
    width, height = image.size
    factor = math.ceil(math.sqrt(width * height / LARGE_PIXELS))
    if factor == 1:
        return convert(image)
    across = -(-width // min(width, factor))
    drawn = Image.new("RGBA", (across, -(-height // min(height, factor))))
    opaque = True
    for top, strip in strips(image, factor):
        part = convert(strip)
        opaque = opaque and part.mode == "RGB"
        part = part.reduce((min(width, factor), min(part.height, factor)))
        drawn.paste(part.convert("RGBA") if part.mode == "RGB" else part, (0, top // factor))
    return drawn.convert("RGB") if opaque else drawn
