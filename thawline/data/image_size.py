"""Choose the side of the packed squares by the sizes and the number of the images."""

import numpy as np

ALL_SIZES = (64, 96, 128, 160, 224)
"""That may be chosen; pretrained weights were made for the last."""
_TINY_PX = 32
"""Median longer side up to which images are packed at _OF_TINY_PX. Of 48 px icons a head in closed
form is right on 68, 68, 71 and 74 % at 96, 128, 160 and 224 px, though they hold no more than 48;
of 28 px clothes on 88 % at 64, 96 and 128, of 8 px digits on 99 % (benchmarks/own_images, one
split)."""
_OF_TINY_PX = 96
_MOST_PIXELS = 1.5e9
"""Of all packed images together, some 28,000 of 224 px: a pass of EfficientNet-Lite0 over so many
takes three minutes on 2 cores."""
NO_SIZES_PX = 96
"""Where no image can be looked at."""


def choose_size(longer: np.ndarray, num_images: int) -> tuple[int, str]:
    """Choose the largest side that the images are worth and that their number allows.

    Args:
        longer: longer sides of a sample of the images, px, int64 (N,).
        num_images: of the whole set.

    Returns:
        The side in px, and why.
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
