"""Tell near copies from pictures that only share a hash, by small colour thumbnails."""

from collections.abc import Sequence
from itertools import chain

import cv2
import numpy as np

from thawline.data.store import ImageStore

SIDE_PX = 16
LIMIT = 0.2
"""Of the difference below.

Measured on 2,359 transparent drawings over white, packed at 64 px. Copies within 4 bits:
recompressed at quality 90 0.09 (99 of 100 are below), at 50 0.18, at half the size 0.15, at a
quarter 0.22 (95 of 100), at half and quality 40 0.17 (95 of 100); of drawings of 128 px and more
0.06, 0.09, 0.16, 0.14, 0.17 (99 of 100). Different drawings within 4 bits (675 pairs, a family of
stars aside): 517 are beyond 0.2, 147 of the others are the same drawing twice, 11 differ in a sign
or a shade; the median is 0.67. At 32 px copies at a quarter of the size reach 0.35, where
different drawings begin at 0.2.
"""
_BATCH = 256


def read(store: ImageStore, rows: Sequence[int]) -> np.ndarray:
    """Average packed images down to thumbnails, int32 (N, 16 * 16, 3), in [0, 255]."""
    found = np.empty((len(rows), SIDE_PX * SIDE_PX, 3), dtype=np.int32)
    batches = store.batches(np.array(rows, dtype=np.int64), _BATCH)
    for at, image in enumerate(chain.from_iterable(batches)):
        small = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        found[at] = small.reshape(-1, 3)
    return found


def differences(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Measure how far thumbnails are apart for what is on them.

    The root of the mean squared difference, over the standard deviation of the one that varies
    more: a thin drawing on a large ground is not like another one because the grounds are equal.
    Sums of whole numbers: equal on every machine.

    Args:
        ones, others: as of `read`, int32 (N, P, 3), or one of them (1, P, 3).

    Returns:
        float64 (N,): 0 for equal ones, about 1.4 for ones that have nothing to do with each other.
    """
    error = np.square(ones - others).sum(axis=(1, 2)) / ones[0].size
    spread = np.maximum(_variance(ones), _variance(others))
    apart: np.ndarray = np.sqrt(error / np.maximum(spread, 1))
    return apart


def _variance(images: np.ndarray) -> np.ndarray:
    """Over the pixels of each channel, mean of the channels, float64 (N,)."""
    number = images.shape[1]
    squares = np.square(images).sum(axis=1)
    sums = images.sum(axis=1)
    variances: np.ndarray = (number * squares - np.square(sums)) / number**2
    return np.asarray(variances.mean(axis=1))
