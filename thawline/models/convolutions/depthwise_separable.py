"""Depthwise separable convolutions: one filter per channel, then 1x1 across channels.

A. Howard et al., 2017, "MobileNets: efficient convolutional neural networks for mobile vision
applications": about 1/k^2 of the operations of a dense k x k convolution.
"""

from collections import OrderedDict

from torch import nn

from thawline.models.surgery.block_style import Style
from thawline.models.surgery.layers import is_dense, is_square, pointwise, similar

FITS = "a dense k x k convolution, k > 1, that is not the first layer"


def replace(conv: nn.Conv2d, style: Style) -> nn.Module | None:
    """Build depthwise k x k, norm, activation, pointwise; the network's norm and activation follow.

    Args:
        conv: float32 (B, C, H, W) to (B, C', H', W').
        style: norm and activation in between.

    Returns:
        A layer for the same shapes; None where the layer is 1x1 or grouped already.
    """
    if not is_dense(conv) or not is_square(conv):
        return None
    channels = conv.in_channels
    layers = {
        "depthwise": similar(conv, out_channels=channels, groups=channels, bias=style.bias),
        "norm": style.norm(channels),
        "activation": style.activate(),
        "pointwise": pointwise(channels, conv.out_channels, bias=conv.bias is not None),
    }
    return nn.Sequential(OrderedDict(layers))
