"""Binary convolution: weights and inputs are +1 and -1, computed in floating point for training.

M. Rastegari et al., 2016, "XNOR-Net: ImageNet classification using binary convolutional neural
networks".
"""

from typing import Any

import torch
from timm.layers import Conv2dSame
from timm.layers.padding import pad_same
from torch import nn
from torch.nn import functional as F

from thawline.models.surgery.layers import Pair


class BinaryConv2d(nn.Module):
    """Layer of norm, sign and convolution with the signs of the weights, scaled by mean |W|.

    Gradients pass a sign where its input is in [-1, 1] (straight-through). An edge is padded with
    +1, since a bit has no zero: so the sums equal those of XNOR and popcount, see `packed_xnor`.

    Args:
        conv: the dense layer to replace, (B, C, H, W) to (B, C', H', W'); its weights are used on.
        scale_inputs: multiply each output by the mean |input| under its kernel too, the paper's K.
    """

    def __init__(self, conv: nn.Conv2d, *, scale_inputs: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(conv.in_channels)
        self.weight, self.bias = conv.weight, conv.bias
        self.shape = Shape(conv)
        self.scale_inputs = scale_inputs

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        normalised = self.norm(images)
        signs = self.shape.padded(_sign(normalised), value=1.0)
        sums = F.conv2d(signs, _sign(self.weight), None, self.shape.stride, 0, self.shape.dilation)
        inputs = self.shape.input_scale(normalised) if self.scale_inputs else None
        return scaled(sums, filter_scale(self.weight), inputs, self.bias)


class Shape:
    """Geometry of a dense convolution: kernel, stride, dilation, padding."""

    def __init__(self, conv: nn.Conv2d) -> None:
        self.kernel: Pair = (conv.kernel_size[0], conv.kernel_size[1])
        self.stride: Pair = (conv.stride[0], conv.stride[1])
        self.dilation: Pair = (conv.dilation[0], conv.dilation[1])
        self._by_image_size = isinstance(conv, Conv2dSame)
        self._padding = conv._reversed_padding_repeated_twice  # also of padding="same"

    def padded(self, images: torch.Tensor, *, value: float) -> torch.Tensor:
        """Pad images as the convolution does, with a value."""
        if self._by_image_size:
            sides = (list(self.kernel), list(self.stride), list(self.dilation))
            by_size: torch.Tensor = pad_same(images, *sides, value=value)
            return by_size
        return F.pad(images, self._padding, value=value) if any(self._padding) else images

    def input_scale(self, images: torch.Tensor) -> torch.Tensor:
        """Compute the paper's K: mean |input| over channels and kernel, (B, 1, H', W')."""
        mean = self.padded(images.abs().mean(dim=1, keepdim=True), value=0.0)
        box = torch.full((1, 1, *self.kernel), 1 / (self.kernel[0] * self.kernel[1])).to(mean)
        return F.conv2d(mean, box, None, self.stride, 0, self.dilation)


def filter_scale(weight: torch.Tensor) -> torch.Tensor:
    """Compute the paper's alpha, the scale that loses least: mean |W| of each filter, (C',)."""
    return weight.abs().mean(dim=(1, 2, 3))


def scaled(
    sums: torch.Tensor,
    filters: torch.Tensor,
    inputs: torch.Tensor | None,
    bias: torch.Tensor | None,
) -> torch.Tensor:
    """Scale sums of signs (B, C', H', W') by alpha (C',) and K (B, 1, H', W'); add a bias (C',)."""
    outputs = sums * filters.view(1, -1, 1, 1)
    outputs = outputs if inputs is None else outputs * inputs
    return outputs if bias is None else outputs + bias.view(1, -1, 1, 1)


def hard_sign(values: torch.Tensor) -> torch.Tensor:
    """Return +1 from 0 on, else -1; torch.sign would give 0 for 0."""
    return torch.where(values >= 0, 1.0, -1.0).to(values.dtype)


def _sign(values: torch.Tensor) -> torch.Tensor:
    signs: torch.Tensor = _Sign.apply(values) if values.requires_grad else hard_sign(values)
    return signs


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(values)
        return hard_sign(values)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (values,) = ctx.saved_tensors
        passed: torch.Tensor = gradients[0] * (values.abs() <= 1)
        return passed
