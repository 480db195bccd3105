"""How many blocks and channels a multiplier of depth or width leaves.

Source: A. Howard et al., 2017, "MobileNets", for the width, M. Tan and Q. Le, 2019, "EfficientNet",
for the depth. A multiplier of 1 leaves the family's own numbers.
"""

_CHANNELS = 8
"""Channels come in multiples of it, which convolutions on most processors are quickest with."""


def blocks(count: int, depth: float) -> int:
    """Blocks of a stage, at least one."""
    return max(1, round(count * depth))


def channels(count: int, width: float, multiple: int = _CHANNELS) -> int:
    """Channels of a layer, rounded to a multiple, at least one of it."""
    if width == 1:
        return count
    return max(1, round(count * width / multiple)) * multiple
