"""Shuffled group convolutions: pointwise in groups whose channels are then shuffled.

X. Zhang et al., 2018, "ShuffleNet: an extremely efficient convolutional neural network for mobile
devices". A 1x1 convolution in g groups needs 1/g of the operations; the shuffle lets the next one
see channels of every group.
"""

from collections import OrderedDict
from typing import Annotated

from pydantic import Field
from torch import nn

from thawline.models.surgery.block_style import Style
from thawline.models.surgery.layers import is_dense, is_pointwise, is_square, pointwise, similar

FITS = (
    "a dense 1x1 or k x k convolution, neither first nor last, whose channels divide by the groups"
)


def replace(
    conv: nn.Conv2d, style: Style, *, groups: Annotated[int, Field(ge=2, le=64)] = 4
) -> nn.Module | None:
    """Build a grouped, shuffled 1x1; for k x k, depthwise and norm before it, as in ShuffleNet.

    Args:
        conv: float32 (B, C, H, W) to (B, C', H', W').
        style: norm after the depthwise part.
        groups: groups of the 1x1 convolution; must divide C and C'.

    Returns:
        A layer for the same shapes; None where it is grouped already or groups do not divide.
    """
    channels = conv.in_channels
    if not is_dense(conv) or channels % groups or conv.out_channels % groups:
        return None
    if not is_pointwise(conv) and not is_square(conv):
        return None
    shuffle = nn.ChannelShuffle(groups)
    if is_pointwise(conv):
        return nn.Sequential(OrderedDict(pointwise=similar(conv, groups=groups), shuffle=shuffle))
    bias = conv.bias is not None
    layers = {
        "depthwise": similar(conv, out_channels=channels, groups=channels, bias=style.bias),
        "norm": style.norm(channels),
        "pointwise": pointwise(channels, conv.out_channels, bias=bias, groups=groups),
        "shuffle": shuffle,
    }
    return nn.Sequential(OrderedDict(layers))
