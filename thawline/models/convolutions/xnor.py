"""Binary (XNOR) convolutions: weights and inputs are signs, and weights take 1/32 of the room.

M. Rastegari et al., 2016, "XNOR-Net: ImageNet classification using binary convolutional neural
networks"; ResNet-18 reached 51.2 % top-1 on ImageNet where float32 reached 69.3 %.
"""

from torch import nn

from thawline.models.surgery.binary import BinaryConv2d
from thawline.models.surgery.block_style import Style
from thawline.models.surgery.layers import is_dense

FITS = "a dense convolution that is neither the first nor the last layer"


def replace(
    conv: nn.Conv2d,
    style: Style,  # noqa: ARG001 - its norm stands before the sign, whatever the network uses
    *,
    scale_inputs: bool = False,
) -> nn.Module | None:
    """Build norm, sign and a convolution with binary weights, which start as the layer's own.

    Args:
        conv: float32 (B, C, H, W) to (B, C', H', W').
        style: not used.
        scale_inputs: the paper's K, the mean |input| under the kernel; the paper found it adds
            little, and it costs a float pass over the inputs.

    Returns:
        A layer for the same shapes; None for a grouped one: a depthwise kernel of 9 bits holds
        too little.
    """
    return BinaryConv2d(conv, scale_inputs=scale_inputs) if is_dense(conv) else None
