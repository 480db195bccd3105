"""Choose the side of the packed squares by the sizes of the images."""

import numpy as np

SIZES = ((48, 96), (96, 128), (192, 160))
"""Median longer side up to which a side is taken, both in px: more pixels than the images have cost
time by the square, and tiny ones still need a few steps of halving."""
LARGEST_PX = 224
"""Beyond: what pretrained weights were made for."""
ALL_SIZES = (*(size for _, size in SIZES), LARGEST_PX)
"""That the table may choose."""
NO_SIZES_PX = 64
"""Where no image can be looked at."""


def choose_size(
    longer: np.ndarray,
    num_images: int,  # noqa: ARG001 - a rule may want to know how much a size costs
) -> tuple[int, str]:
    """Choose by a table, see SIZES.

    Args:
        longer: longer sides of a sample of the images, px, int64 (N,).
        num_images: of the whole set.

    Returns:
        The side in px, and why.
    """
    if not len(longer):
        return NO_SIZES_PX, "no image could be looked at"
    median = float(np.median(longer))
    size = next((size for limit, size in SIZES if median <= limit), LARGEST_PX)
    return size, f"the longer side of the median picture is {median:g} px"
