"""Tell near copies from pictures that only share a hash, by small colour thumbnails."""

from collections.abc import Sequence
from itertools import chain

import cv2
import numpy as np

from thawline.dataset.image_store import ImageStore

SIDE_PX = 16
WHOLE = 0.3
"""Most that the root of the mean squared difference of two copies may be, over the standard
deviation of the one that varies more: a thin drawing on a large ground is not like another one
because the grounds are equal."""
PLACE = 20
"""Most, in levels of 255, that the root of the mean squared difference may be in any of 8 x 8
places: two playing cards differ in little else than their signs."""
# Measured on openly licensed drawings, most of them transparent, packed at 64 px over white and at
# 224 over teal, on pairs whose hashes are within 4 bits. Copies that agree, of about 200 each:
# recompressed at quality 90 97 %, at 50 94 %, at half the size 100 %, at a quarter 96 %, at half
# and quality 40 95 %; of drawings of 128 px and more 99, 99, 100, 100, 99 %. Pairs with other
# names, most of which show other things: 37 of 559; by WHOLE alone 86, by the hash alone all.
# Pairs with one name in two folders: 114 of 116. At 32 px small copies are farther apart, and
# different drawings no farther.
_BATCH = 256


def read(store: ImageStore, rows: Sequence[int]) -> np.ndarray:
    """Average packed images down to thumbnails, int32 (N, 16 * 16, 3), in [0, 255]."""
    found = np.empty((len(rows), SIDE_PX * SIDE_PX, 3), dtype=np.int32)
    batches = store.batches(np.array(rows, dtype=np.int64), _BATCH)
    for at, image in enumerate(chain.from_iterable(batches)):
        small = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        found[at] = small.reshape(-1, 3)
    return found


def agree(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which pairs of thumbnails agree, as a whole and in every place, see WHOLE and PLACE.

    Works on sums of whole numbers: equal on every machine.

    Args:
        ones: from `read`, int32 (N, P, 3) or (1, P, 3).
        others: like `ones`; one of the two has N entries.

    Returns:
        bool (N,).
    """
    squares = np.square(ones - others).sum(axis=2)
    spread = np.maximum(_variance(ones), _variance(others))
    whole = squares.sum(axis=1) / ones[0].size <= WHOLE**2 * np.maximum(spread, 1)
    half = SIDE_PX // 2
    places = squares.reshape(-1, half, 2, half, 2).sum(axis=(2, 4)).reshape(-1, half * half)
    found: np.ndarray = whole & (places.max(axis=1) <= PLACE**2 * 12)
    return found


def _variance(images: np.ndarray) -> np.ndarray:
    """Compute the variance over the pixels, averaged over the channels, float64 (N,)."""
    number = images.shape[1]
    squares = np.square(images).sum(axis=1)
    sums = images.sum(axis=1)
    variances: np.ndarray = (number * squares - np.square(sums)) / number**2
    return np.asarray(variances.mean(axis=1))
