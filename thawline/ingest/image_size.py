"""Limit the side of the packed squares by the sizes and the number of the images.

Which of the sides below the limit is used is measured, see thawline/features/size_choice.py.
"""

import numpy as np

ALL_SIZES = (64, 96, 128, 160, 224)
"""Sides that may be chosen, px; pretrained weights were made for the last."""
_TINY_PX = 32
"""Median longer side up to which images are packed at _OF_TINY_PX or below: of 28 px clothes a head
in closed form had a squared error of 0.265, 0.264, 0.251, 0.248, 0.244 at the five sides, of 48 px
icons 0.502, 0.491, 0.476, 0.477, 0.464 (benchmarks/own_images, rows left out of the fit)."""
_OF_TINY_PX = 128
_MOST_PIXELS = 1.5e9
"""Pixels of all packed images together, some 28,000 of 224 px: a pass of EfficientNet-Lite0 over so
many takes three minutes on 2 cores."""
NO_SIZES_PX = 96
"""Side where no image can be opened, px."""


def largest_size(longer: np.ndarray, num_images: int) -> tuple[int, str]:
    """Choose the largest side that the images are worth and that their number allows.

    Args:
        longer: longer sides of a sample of the images, px, int64 (N,).
        num_images: number of images in the whole set.

    Returns:
        The side in px, and the reason.
    """
    if not len(longer):
        return NO_SIZES_PX, "no image could be looked at"
    median = float(np.median(longer))
    wanted = _OF_TINY_PX if median <= _TINY_PX else ALL_SIZES[-1]
    reason = f"the longer side of the median picture is {median:g} px"
    allowed = [size for size in ALL_SIZES if num_images * size**2 <= _MOST_PIXELS]
    size = min(wanted, max(allowed, default=ALL_SIZES[0]))
    if size < wanted:
        reason += f", and {num_images:,} of {wanted} px would take long"
    return size, reason


def sizes_up_to(largest: int) -> tuple[int, ...]:
    """List the sides to compare, px, ascending."""
    return tuple(size for size in ALL_SIZES if size <= largest)
