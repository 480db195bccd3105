"""Detect over a whole data set that its 16-bit files use fewer bits, as many cameras' do."""

import numpy as np

_DARK = 2
"""Bits unused by all images, from which a set is named: at most a quarter of the range is left."""
_BLACK = 4
"""Bits unused by half of the images, where others use more."""


def sentence(bits: np.ndarray, bit_depth: int) -> str | None:
    """Describe in one line how many 16-bit images use few of their bits; None where none do.

    Args:
        bits: bits that each image's largest value needs, int64 (N,); 0 for other depths.
        bit_depth: bits that the values were taken to have.
    """
    deep = bits[bits > 0]
    if not len(deep):
        return None
    most = int(deep.max())
    if most <= bit_depth - _DARK:
        return (
            f"{len(deep):,} of {len(deep):,} images of 16 bits use at most {most} bits, "
            f"1/{2 ** (bit_depth - most)} of the range: they come out dark; "
            f"ingest.bit_depth: {most} scales them"
        )
    few = deep[deep <= bit_depth - _BLACK]
    if 2 * len(few) < len(deep):
        return None
    return (
        f"{len(few):,} of {len(deep):,} images of 16 bits use at most {int(few.max())} bits, the "
        f"others up to {most}: those come out dark; ingest.bit_depth is one for all"
    )
