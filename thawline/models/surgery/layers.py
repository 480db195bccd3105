"""Find layers of a network, make similar ones and replace them."""

import math
from typing import Any

from torch import nn

Pair = tuple[int, int]


def convolutions(network: nn.Module) -> dict[str, nn.Conv2d]:
    """List the convolutions by name, each once, in the order in which the network was built."""
    return {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d)}


def first_and_last(network: nn.Module) -> set[nn.Module]:
    """Find the first convolution, and the layer that gives the logits if it is a convolution."""
    weighted = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    found = list(convolutions(network).values())
    return {found[0], weighted[-1]} if found else set()


def replace_module(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Replace a layer by another, in all places where the network uses it."""
    for parent in network.modules():
        for name, child in parent._modules.items():
            if child is old:
                parent._modules[name] = new.train(old.training)


def is_dense(conv: nn.Conv2d) -> bool:
    """Tell whether a convolution has one group."""
    return conv.groups == 1


def is_pointwise(conv: nn.Conv2d) -> bool:
    """Tell whether a kernel is 1 x 1."""
    return conv.kernel_size == (1, 1)


def is_square(conv: nn.Conv2d) -> bool:
    """Tell whether a kernel is k x k, k > 1."""
    return conv.kernel_size[0] == conv.kernel_size[1] > 1


def similar(conv: nn.Conv2d, **changes: Any) -> nn.Conv2d:
    """Build a convolution of the same class and geometry but for `changes`, randomly initialised.

    The class matters: timm's Conv2dSame pads by the size of the image, as TensorFlow does.
    """
    geometry: dict[str, Any] = {
        "in_channels": conv.in_channels,
        "out_channels": conv.out_channels,
        "kernel_size": conv.kernel_size,
        "stride": conv.stride,
        "padding": conv.padding,
        "dilation": conv.dilation,
        "groups": conv.groups,
        "bias": conv.bias is not None,
    }
    new = type(conv)(**(geometry | changes))
    initialise(new)
    return new


def pointwise(
    in_channels: int, out_channels: int, *, bias: bool = False, groups: int = 1
) -> nn.Conv2d:
    """Build a 1x1 convolution, randomly initialised."""
    conv = nn.Conv2d(in_channels, out_channels, 1, bias=bias, groups=groups)
    initialise(conv)
    return conv


def initialise(conv: nn.Conv2d) -> None:
    """Draw weights after K. He et al., 2015, "Delving deep into rectifiers"; biases are 0.

    By the outputs that an input reaches: PyTorch's kaiming_normal_ counts those of all groups, so a
    depthwise kernel would start near 0.
    """
    reached = conv.out_channels * math.prod(conv.kernel_size) // conv.groups
    nn.init.normal_(conv.weight, std=math.sqrt(2 / reached))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
