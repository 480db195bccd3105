"""Networks as test cases.

The first of each family is always tested, unless it is large. Those that are built in another way
than the first of their family are slow tests; the rest differ from one of them in numbers alone,
and only what costs little is tested of them.
"""

import functools

import pytest
import torch
from torch import nn

from thawline.models import network
from thawline.models.network import Network
from thawline.params import plugins

OF_TIMM = ("resnet10t", "mobilenetv4_conv_small", "mobilenetv2_035", "regnetx_002")
"""timm has a thousand: one of each class that has blocks of its own, and two that have none."""
NETWORKS = [
    (family, name)
    for family in plugins.names(plugins.FAMILY)
    for name in plugins.load(plugins.FAMILY, family).NAMES or OF_TIMM
]
FIRSTS = dict(reversed(NETWORKS))
LARGE = {"alexnet", "vgg", "convnext", "densenet", "inception", "regnet"}
"""Families whose smallest network has tens of millions of weights, or many layers."""
VARIANTS = {
    "vgg11_bn", "inception_v3", "resnet50", "resnext50_32x4d", "mobilenet_v3_large", "mobilenet_v2",
    "mobilenetv1_100", "mobilenetv1_100h", "tf_efficientnet_lite1", "efficientnet_b0",
    "efficientnet_v2_s", "squeezenet1_0", "regnet_y_400mf", *OF_TIMM,
}  # fmt: skip
SIZE = 64


def _param(family: str, name: str, quick: bool) -> object:
    return pytest.param(family, name, marks=() if quick else pytest.mark.slow)


def is_quick(family: str, name: str) -> bool:
    return name == FIRSTS[family] and family not in LARGE


KINDS = [(f, n) for f, n in NETWORKS if n == FIRSTS[f] or n in VARIANTS]
each = pytest.mark.parametrize(("family", "name"), [_param(*k, is_quick(*k)) for k in KINDS])
each_with_few_always = pytest.mark.parametrize(
    ("family", "name"),
    [_param(f, n, n == "squeezenet1_1") for f, n in KINDS],
)
"""For what takes seconds per network."""
every = pytest.mark.parametrize(
    ("family", "name"), [_param(f, n, n == FIRSTS[f]) for f, n in NETWORKS]
)


def size_px(family: str, name: str, stem: str = "imagenet") -> int:
    """SIZE, or what the network was made for where that is too small."""
    limits = plugins.constant(plugins.FAMILY, family, "SMALLEST_PX") or {}
    if limits.get(name, {}).get(stem, 0) <= SIZE:
        return SIZE
    return network.describe(family, name).image_size_px


def original(family: str, name: str, *, seed: int = 0) -> nn.Module:
    """The library's own, as the family builds it, for three classes."""
    module = plugins.load(plugins.FAMILY, family)
    own = {"stem": "imagenet", "depth": 1.0, "width": 1.0}
    shape = {k: v for k, v in own.items() if k in plugins.input_names(plugins.FAMILY, family)}
    torch.manual_seed(seed)
    built: nn.Module = module.build(name, num_classes=3, dropout=0.2, **shape)
    return built


@functools.lru_cache(maxsize=2)
def built(family: str, name: str, seed: int = 0) -> Network:
    """Random weights, but statistics that are not the neutral ones."""
    net = network.build(family, name, num_classes=3, dropout=0.2, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.8, 1.2, generator=generator)
    return net.eval()


def inputs(family: str, name: str, count: int = 2) -> torch.Tensor:
    size = size_px(family, name)
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))
