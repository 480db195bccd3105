"""Bottlenecks: fewer channels for k x k kernels, between 1x1 convolutions around them."""

from collections import OrderedDict

from torch import nn

from thawline.models.surgery.block_style import Style
from thawline.models.surgery.layers import is_dense, is_square, pointwise, similar

FITS = "a dense k x k convolution, k > 1, that is not the first layer"
_MULTIPLE = 8
"""Multiple of channels: fewer than a processor's vector are not faster; groups of 2, 4, 8 divide
it."""


def narrowed(conv: nn.Conv2d, style: Style, ratio: float) -> nn.Module | None:
    """Build 1x1, k x k and 1x1 convolutions, with norm and activation in between.

    K. He et al., 2016, "Deep residual learning for image recognition", figure 5.

    Args:
        conv: float32 (B, C, H, W) to (B, C', H', W').
        style: norm and activation in between.
        ratio: channels in between over C', rounded to a multiple of 8, at least 8.

    Returns:
        A layer for the same shapes; None where the layer is 1x1 or grouped.
    """
    if not is_dense(conv) or not is_square(conv):
        return None
    width = max(_MULTIPLE, round(conv.out_channels * ratio / _MULTIPLE) * _MULTIPLE)
    layers = {
        "reduce": pointwise(conv.in_channels, width, bias=style.bias),
        "norm1": style.norm(width),
        "activation1": style.activate(),
        "conv": similar(conv, in_channels=width, out_channels=width, bias=style.bias),
        "norm2": style.norm(width),
        "activation2": style.activate(),
        "restore": pointwise(width, conv.out_channels, bias=conv.bias is not None),
    }
    return nn.Sequential(OrderedDict(layers))
