"""What a picture looks like in a few numbers: a perceptual hash, brightness, contrast, sharpness.

Measured where the image is decoded anyway; everything that compares pictures later works on these.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

HASH_BITS = 64
_SIDE_PX = 256
"""Longer side on which a picture is judged: what a network sees, and a bounded cost."""
_MIN_CHANGES = 16
"""Of the 64 neighbours in the thumbnail that must differ: a blank page, or an icon in the middle of
one, has the hash of every other."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Attributes:
    dhash: 64 bits that near copies share but for a few; None where they would say nothing.
    brightness: mean grey level, in [0, 255].
    contrast: standard deviation of the grey levels.
    sharpness: variance of the Laplacian; small where a picture is out of focus.
    """

    dhash: int | None
    brightness: float
    contrast: float
    sharpness: float


def measure(image: Image.Image) -> Looks:
    """Measure a Pillow image of mode RGB, upright, as `decode.picture` knows it by.

    The hash is dHash (N. Krawetz, "Kind of like that", 2013): whether each of 8 x 8 points of a
    grey thumbnail is brighter than its left neighbour. Sharpness after J. L. Pech-Pacheco et al.,
    "Diatom autofocusing in brightfield microscopy", 2000.
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
    )


def _moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation; OpenCV adds up whole numbers: equal on every machine."""
    mean, deviation = cv2.meanStdDev(values)
    return float(mean[0, 0]), float(deviation[0, 0])


def _dhash(grey: Image.Image) -> int | None:
    thumbnail = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    steps = thumbnail[:, 1:] - thumbnail[:, :-1]
    if np.count_nonzero(steps) < _MIN_CHANGES:
        return None
    return int.from_bytes(np.packbits(steps > 0).tobytes(), "big")


def _laplacian_variance(grey: np.ndarray) -> float:
    """Of a uint8 (H, W) array; 0 for pictures without an inner pixel."""
    if min(grey.shape) < 3:
        return 0.0
    edges = cv2.Laplacian(grey, cv2.CV_16S, ksize=1)
    return _moments(edges[1:-1, 1:-1])[1] ** 2
