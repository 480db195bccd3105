"""EfficientNet B0 to B7, v2, and Lite for small devices, without squeeze-and-excitation.

Source: M. Tan and Q. Le, 2019, "EfficientNet: rethinking model scaling for convolutional neural
networks", and 2021, "EfficientNetV2: smaller models and faster training"; Lite: TensorFlow's
efficientnet/lite. Lite from timm, the others from torchvision. Recipe: RMSprop, rate 0.016 per 256
images, weight decay 1e-5, exponential decay, averaged weights; with SGD 0.1 and momentum 0.9 works.
"""

import copy
from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torchvision import models
from torchvision.models.efficientnet import _efficientnet_conf

from thawline.models.architectures import (
    _efficientnet_lite,
    _resolution,
    _scaling,
    _timm,
    _torchvision,
)
from thawline.models.network import Description
from thawline.models.weights import WeightsFile
from thawline.params.schema.design import Stem

NAMES = (
    "tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2", "efficientnet_b0",
    "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4", "efficientnet_b5",
    "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_s", "efficientnet_v2_m",
    "efficientnet_v2_l",
)  # fmt: skip
FROM_SCRATCH = {"*": {"fine_tune": {"weight_decay": 0.00001}}}
"""Values for training from scratch: the usual decay takes depthwise filters' nine weights away."""

_MULTIPLIERS = {
    "efficientnet_b0": (1.0, 1.0),
    "efficientnet_b1": (1.0, 1.1),
    "efficientnet_b2": (1.1, 1.2),
    "efficientnet_b3": (1.2, 1.4),
    "efficientnet_b4": (1.4, 1.8),
    "efficientnet_b5": (1.6, 2.2),
    "efficientnet_b6": (1.8, 2.6),
    "efficientnet_b7": (2.0, 3.1),
}
"""Width and depth over those of B0."""


def describe(name: str) -> Description:
    """Describe the images that the ImageNet weights expect."""
    return _source(name).describe(name)  # type: ignore[no-any-return]


def imagenet_weights(name: str) -> WeightsFile | None:
    """Find the file of an installed package or in the library's cache."""
    return _source(name).imagenet_weights(name)  # type: ignore[no-any-return]


def download(name: str) -> WeightsFile:
    """Fetch the file into the library's cache."""
    return _source(name).download(name)  # type: ignore[no-any-return]


def origin(name: str) -> str:
    """Say how a person gets the file."""
    return _source(name).origin(name)  # type: ignore[no-any-return]


def build(
    name: str, *, num_classes: int, dropout: float, stem: Stem, depth: float, width: float
) -> nn.Module:
    """Build the library's network with a classifier for num_classes, randomly initialised."""
    options: dict[str, Any] = {"num_classes": num_classes, "dropout": dropout}
    if _is_lite(name):
        network = _efficientnet_lite.build(name, depth=depth, width=width, **options)
    elif depth == width == 1:
        network = models.get_model(name, weights=None, **options)
    else:
        network = _scaled(name, depth, width, options)
    if stem == "small":
        _resolution.kept(network.conv_stem if _is_lite(name) else network.features[0][0])
    return network  # type: ignore[no-any-return]


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List the blocks in the order of the forward pass; the last one is the head."""
    if hasattr(network, "conv_stem"):
        head = nn.Sequential(nn.Dropout(network.drop_rate), network.classifier)
        return [*_timm.efficientnet_blocks(network), ("head", head)]
    stem, *stages, tail = network.features
    dropout, linear = network.classifier
    return [
        ("stem", stem),
        *((f"stage{i}", stage) for i, stage in enumerate(stages, start=1)),
        ("tail", tail),
        ("pool", nn.Sequential(network.avgpool, nn.Flatten())),
        ("head", nn.Sequential(nn.Dropout(dropout.p), linear)),
    ]


def convert(state: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """Rename tensors of Lite's packages, which have names of their own; others stay as they are.

    Raises:
        ValueError: tensors do not fit.
    """
    if hasattr(network, "conv_stem"):
        return _efficientnet_lite.convert(state, network)
    return state


def _is_lite(name: str) -> bool:
    return name.startswith("tf_")


def _source(name: str) -> ModuleType:
    return _efficientnet_lite if _is_lite(name) else _torchvision


def _scaled(name: str, depth: float, width: float, options: dict[str, Any]) -> Any:
    own_width, own_depth = _MULTIPLIERS.get(name, (1.0, 1.0))
    setting, last = _efficientnet_conf(name, width_mult=own_width, depth_mult=own_depth)
    original = models.get_model(name, weights=None)
    norm = next(m for m in original.modules() if isinstance(m, nn.BatchNorm2d))
    return models.EfficientNet(
        _stretched(setting, depth, width),
        last_channel=last,
        norm_layer=partial(nn.BatchNorm2d, eps=norm.eps, momentum=norm.momentum),
        **options,
    )


def _stretched(setting: Sequence[Any], depth: float, width: float) -> list[Any]:
    found = []
    for stage in map(copy.copy, setting):
        stage.input_channels = _scaling.channels(stage.input_channels, width)
        stage.out_channels = _scaling.channels(stage.out_channels, width)
        stage.num_layers = _scaling.blocks(stage.num_layers, depth)
        found.append(stage)
    return found
