"""Replace the activations of a network by one kind."""

from collections import OrderedDict
from collections.abc import Callable

from torch import nn
from torchvision.models.googlenet import BasicConv2d as GoogLeNetConv
from torchvision.models.inception import BasicConv2d as InceptionConv

from thawline.models.surgery.layers import replace_module

_KINDS: dict[str, Callable[[bool], nn.Module]] = {
    "relu": lambda inplace: nn.ReLU(inplace=inplace),
    "leaky_relu": lambda inplace: nn.LeakyReLU(0.01, inplace=inplace),
    # One learned slope a layer, not one a channel: several libraries use one activation layer twice
    # in a block, with different numbers of channels. The paper found 0.1 points between the two.
    "prelu": lambda _: nn.PReLU(num_parameters=1, init=0.25),
    "elu": lambda inplace: nn.ELU(inplace=inplace),
    "gelu": lambda _: nn.GELU(),
    "silu": lambda _: nn.SiLU(),
    "hardswish": lambda _: nn.Hardswish(),
    "tanh": lambda _: nn.Tanh(),
}
"""Constructors of activations; the argument says whether they may overwrite their input, where the
gradient can do without that."""
_NAMES = {
    "ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "GELU", "SiLU", "Swish", "Mish", "Hardswish",
    "HardSwish", "Tanh",
}  # fmt: skip
"""Classes of torch and timm; sigmoids are gates, not activations."""
_BLOCKS_WITHOUT_LAYER = (GoogLeNetConv, InceptionConv)
FITS = "an activation that is a layer of its own"


def is_activation(module: nn.Module) -> bool:
    """Tell whether a module is an activation layer."""
    return type(module).__name__ in _NAMES and not list(module.children())


def activation_for(kind: str, old: nn.Module) -> nn.Module:
    """Return the layer itself if it is of a kind, else a new one.

    LeakyReLU: A. Maas et al., 2013; PReLU: K. He et al., 2015; ELU: D. Clevert et al., 2016; GELU:
    D. Hendrycks and K. Gimpel, 2016; SiLU: S. Elfwing et al., 2018; Hardswish: A. Howard et al.,
    2019. `kind` is relu, leaky_relu, prelu, elu, gelu, silu, hardswish or tanh.
    """
    new = _KINDS[kind](bool(getattr(old, "inplace", False)))
    return old if type(new) is type(old) else new


def name_activations(network: nn.Module) -> None:
    """Give a layer to those activations of torchvision's Inception networks that are calls."""
    for block in [m for m in network.modules() if isinstance(m, _BLOCKS_WITHOUT_LAYER)]:
        layers = {"conv": block.conv, "bn": block.bn, "relu": nn.ReLU(inplace=True)}
        replace_module(network, block, nn.Sequential(OrderedDict(layers)))
