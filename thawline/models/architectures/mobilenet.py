"""MobileNet v1 to v3: depthwise separable convolutions; small and quick for their accuracy.

Source: A. Howard et al., 2017, "MobileNets"; M. Sandler et al., 2018, "MobileNetV2: inverted
residuals and linear bottlenecks"; A. Howard et al., 2019, "Searching for MobileNetV3". v1 from
timm, the others from torchvision. Recipe: v2 SGD, momentum 0.9, rate 0.045 (per 96 images), weight
decay 4e-5; v3 RMSprop, rate 0.064, weight decay 1e-5. On few images less weight decay than usual.
"""

import copy
from itertools import groupby
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torchvision import models
from torchvision.models import mobilenetv3

from thawline.models.architectures import _resolution, _scaling, _torchvision
from thawline.models.network import Description
from thawline.models.weights import WeightsFile
from thawline.params.schema.design import Stem

NAMES = (
    "mobilenet_v3_small", "mobilenet_v3_large", "mobilenet_v2", "mobilenetv1_100",
    "mobilenetv1_100h", "mobilenetv1_125",
)  # fmt: skip
FROM_SCRATCH = {"*": {"fine_tune": {"weight_decay": 0.00004}}}
"""Values for training from scratch: the usual decay takes depthwise filters' nine weights away."""

_V1 = {
    "mobilenetv1_100": (1.0, {}),
    "mobilenetv1_100h": (1.0, {"head_conv": True}),
    "mobilenetv1_125": (1.25, {}),
}
"""Channels over the paper's, and further options of timm's variants."""
_V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
       (6, 320, 1, 1))  # fmt: skip
"""Expansion, channels, blocks and stride of the stages of v2: table 2 of its paper."""


def describe(name: str) -> Description:
    """Describe the images that the ImageNet weights expect."""
    return _library(name).describe(name)  # type: ignore[no-any-return]


def imagenet_weights(name: str) -> WeightsFile | None:
    """Find the file in the library's cache."""
    return _library(name).imagenet_weights(name)  # type: ignore[no-any-return]


def download(name: str) -> WeightsFile:
    """Fetch the file into the library's cache."""
    return _library(name).download(name)  # type: ignore[no-any-return]


def origin(name: str) -> str:
    """Say how a person gets the file."""
    return _library(name).origin(name)  # type: ignore[no-any-return]


def convert(state: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """Return the tensors as they are: both libraries' files name them as their networks do."""
    return _torchvision.convert(state, network)


def build(
    name: str, *, num_classes: int, dropout: float, stem: Stem, depth: float, width: float
) -> nn.Module:
    """Build the library's network, randomly initialised."""
    make = {"mobilenet_v2": _v2, "mobilenet_v3_small": _v3, "mobilenet_v3_large": _v3}
    network = make.get(name, _v1)(name, num_classes, dropout, depth, width)
    if stem == "small":
        first = network.conv_stem if name in _V1 else network.features[0][0]
        _resolution.kept(first)
    return network  # type: ignore[no-any-return]


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List the blocks; a stage holds those of equal channels, a row of the papers' tables."""
    if hasattr(network, "conv_stem"):
        from thawline.models.architectures import _timm

        dropout = nn.Dropout(network.drop_rate)
        head = nn.Sequential(dropout, network.classifier)
        return [*_timm.efficientnet_blocks(network), ("head", head)]
    first, *inner, last = network.features
    stages = [nn.Sequential(*same) for _, same in groupby(inner, key=lambda b: b.out_channels)]
    *hidden, dropout, linear = network.classifier  # v3 has a hidden layer
    return [
        ("stem", first),
        *((f"stage{i}", stage) for i, stage in enumerate(stages, start=1)),
        ("tail", last),
        ("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())),
        *([("hidden", nn.Sequential(*hidden))] if hidden else []),
        ("head", nn.Sequential(nn.Dropout(dropout.p), linear)),
    ]


def _library(name: str) -> ModuleType:
    if name not in _V1:
        return _torchvision
    from thawline.models.architectures import _timm  # half a second that torchvision's need not pay

    return _timm


def _v1(name: str, num_classes: int, dropout: float, depth: float, width: float) -> Any:
    import timm
    from timm.models.efficientnet import _gen_mobilenet_v1

    options = {"num_classes": num_classes, "drop_rate": dropout}
    if depth == width == 1:
        return timm.create_model(name, **options)
    channels, variant = _V1[name]
    return _gen_mobilenet_v1(
        name, channel_multiplier=channels * width, depth_multiplier=depth, **variant, **options
    )


def _v2(name: str, num_classes: int, dropout: float, depth: float, width: float) -> Any:
    setting = [[t, c, _scaling.blocks(n, depth), s] for t, c, n, s in _V2]
    return models.get_model(
        name,
        weights=None,
        num_classes=num_classes,
        dropout=dropout,
        width_mult=width,
        inverted_residual_setting=setting,
    )


def _v3(name: str, num_classes: int, dropout: float, depth: float, width: float) -> Any:
    setting, last = mobilenetv3._mobilenet_v3_conf(name, width_mult=width)
    stages = [list(same) for _, same in groupby(setting, key=lambda block: block.out_channels)]
    deep = [block for stage in stages for block in _stretched(stage, depth)]
    return models.MobileNetV3(deep, last, num_classes=num_classes, dropout=dropout)


def _stretched(stage: list[Any], depth: float) -> list[Any]:
    """Take the first blocks of a stage, or all of them and then copies of the last one."""
    again = copy.copy(stage[-1])
    again.input_channels, again.stride = again.out_channels, 1
    count = _scaling.blocks(len(stage), depth)
    return [*stage, *[again] * (count - len(stage))][:count]
