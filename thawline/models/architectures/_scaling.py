"""Scale numbers of blocks and channels by a multiplier of depth or width.

Source: A. Howard et al., 2017, "MobileNets", for the width, M. Tan and Q. Le, 2019, "EfficientNet",
for the depth. A multiplier of 1 leaves the family's own numbers.
"""

_CHANNELS = 8
"""Multiple that numbers of channels are rounded to, fastest for most processors' convolutions."""


def blocks(count: int, depth: float) -> int:
    """Scale the blocks of a stage, to at least one."""
    return max(1, round(count * depth))


def channels(count: int, width: float, multiple: int = _CHANNELS) -> int:
    """Scale the channels of a layer, rounded to a multiple and at least that."""
    if width == 1:
        return count
    return max(1, round(count * width / multiple)) * multiple
