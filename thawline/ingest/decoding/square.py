"""Composite a decoded picture over its background, and make it square.

Needs NumPy and Pillow alone: see `decode`.
"""

import numpy as np
from PIL import Image

Background = tuple[int, int, int]


def over(image: Image.Image, background: Background) -> Image.Image:
    """Composite an RGBA image over a colour; an RGB image is returned as it is."""
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
        background: RGB of the bars.

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
