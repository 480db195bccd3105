"""Measure a picture: perceptual hash, brightness, contrast, sharpness.

Measured where the image is decoded anyway; everything that compares pictures later works on these.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

HASH_BITS = 64
_SIDE_PX = 256
"""Longer side on which a picture is judged: what a network sees, and a bounded cost."""
_NEAREST = Image.Resampling.NEAREST
_MIN_CHANGES = 16
"""Number of the 64 neighbours in the thumbnail that must differ: a blank page, or an icon in the
middle of one, has the hash of every other."""
ONE_COLOUR = 4
"""Levels of 255 between the darkest and the brightest point, in each channel, up to which a picture
is of one colour: a blank page spans 1 or 2 after JPEG, and nobody sees what spans 4."""
_SURE = ONE_COLOUR / 2 + 2
"""Contrast above which a picture is none: the standard deviation of its grey levels is at most half
of what they span, roundings aside. It spares all but plain pictures the look at each channel."""
_NEAR_BLACK, _NEAR_WHITE = 8, 247


@dataclass(frozen=True, slots=True)
class Looks:
    """Statistics that tell pictures apart.

    Attributes:
        dhash: 64 bits, nearly all of which near copies share; None where it would say nothing.
        brightness: mean grey level, in [0, 255].
        contrast: standard deviation of the grey levels.
        sharpness: variance of the Laplacian; small where a picture is out of focus.
        one_colour: True where the picture shows nothing, see ONE_COLOUR.
    """

    dhash: int | None
    brightness: float
    contrast: float
    sharpness: float
    one_colour: bool = False

    @property
    def blank(self) -> str | None:
        """Kind of a picture of one colour: black, white or one colour; None for others."""
        if not self.one_colour:
            return None
        if self.brightness <= _NEAR_BLACK:
            return "black"
        return "white" if self.brightness >= _NEAR_WHITE else "one colour"


def measure(image: Image.Image) -> Looks:
    """Measure an upright Pillow image of mode RGB: `known_by` of `decode.picture`.

    The hash is dHash (N. Krawetz, "Kind of like that", 2013): one bit for each of 8 x 8 points of a
    grey thumbnail, set where it is brighter than its left neighbour. Sharpness after J. L.
    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000.
    """
    factor = -(-max(image.size) // _SIDE_PX)
    grey = image.convert("L")
    grey = grey.reduce(factor) if factor > 1 else grey
    values = np.asarray(grey)
    brightness, contrast = _moments(values)
    return Looks(
        dhash=_dhash(grey),
        brightness=brightness,
        contrast=contrast,
        sharpness=_laplacian_variance(values),
        one_colour=contrast <= _SURE and is_one_colour(image),
    )


def is_one_colour(image: Image.Image) -> bool:
    """Return True where no channel spans more than ONE_COLOUR levels, averaged to _SIDE_PX.

    Args:
        image: Pillow image of mode L, RGB or RGBA.
    """
    factor = -(-max(image.size) // _SIDE_PX)
    if _spans(image.resize((8, 8), _NEAREST)) > ONE_COLOUR:
        return False  # 64 points are enough for almost every picture
    return _spans(image.reduce(factor) if factor > 1 else image) <= ONE_COLOUR


def _spans(image: Image.Image) -> int:
    """Return the range of levels of the channel that spans most."""
    pixels = np.asarray(image)
    return int(np.ptp(pixels.reshape(-1, len(image.getbands())), axis=0).max())


def _moments(values: np.ndarray) -> tuple[float, float]:
    """Compute mean and standard deviation.

    OpenCV adds up whole numbers: equal on every machine.
    """
    mean, deviation = cv2.meanStdDev(values)
    return float(mean[0, 0]), float(deviation[0, 0])


def _dhash(grey: Image.Image) -> int | None:
    thumbnail = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    steps = thumbnail[:, 1:] - thumbnail[:, :-1]
    if np.count_nonzero(steps) < _MIN_CHANGES:
        return None
    return int.from_bytes(np.packbits(steps > 0).tobytes(), "big")


def _laplacian_variance(grey: np.ndarray) -> float:
    """Compute the Laplacian's variance, uint8 (H, W); 0 without an inner pixel."""
    if min(grey.shape) < 3:
        return 0.0
    edges = cv2.Laplacian(grey, cv2.CV_16S, ksize=1)
    return _moments(edges[1:-1, 1:-1])[1] ** 2
