"""DenseNet: each layer takes what all before it in its stage made; few weights, much memory.

Source: G. Huang et al., 2017, "Densely connected convolutional networks". Recipe: SGD, Nesterov
momentum 0.9, rate 0.1 per 256 images, weight decay 1e-4, step decay.
"""

import re
from typing import Any

import torch
from torch import nn
from torchvision import models

from thawline.models.architectures import _resolution, _scaling, _torchvision
from thawline.params.schema.design import Stem

NAMES = ("densenet121", "densenet161", "densenet169", "densenet201")
SMALLEST_PX = {
    "densenet121": {"imagenet": 29, "small": 16},
    "densenet161": {"imagenet": 29, "small": 16},
    "densenet169": {"imagenet": 29, "small": 16},
    "densenet201": {"imagenet": 29, "small": 16},
}

describe = _torchvision.describe
imagenet_weights = _torchvision.imagenet_weights
download = _torchvision.download
origin = _torchvision.origin

_OLD_KEY = re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\.\w+)$")


def build(
    name: str, *, num_classes: int, dropout: float, stem: Stem, depth: float, width: float
) -> nn.Module:
    """Build torchvision's network, randomly initialised, with a dropout before the classifier.

    Its layers' own dropout, which the paper uses without augmentation only, stays off.
    """
    network: Any = models.get_model(name, weights=None, num_classes=num_classes)
    if not depth == width == 1:
        network = _scaled(network, num_classes, depth, width)
    if stem == "small":
        network.features.conv0 = _resolution.kept(network.features.conv0)
        network.features.pool0 = nn.Identity()
    network.head_dropout = nn.Dropout(dropout)
    return network  # type: ignore[no-any-return]


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List the blocks; a stage ends with the transition that halves channels and resolution."""
    features = network.features
    stages = [
        nn.Sequential(features.denseblock1, features.transition1),
        nn.Sequential(features.denseblock2, features.transition2),
        nn.Sequential(features.denseblock3, features.transition3),
        features.denseblock4,
    ]
    return [
        ("stem", nn.Sequential(features.conv0, features.norm0, features.relu0, features.pool0)),
        *((f"stage{i}", stage) for i, stage in enumerate(stages, start=1)),
        ("tail", nn.Sequential(features.norm5, nn.ReLU(inplace=True))),
        ("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())),
        ("head", nn.Sequential(network.head_dropout, network.classifier)),
    ]


def convert(state: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:  # noqa: ARG001
    """Rename tensors: in torchvision's older files `norm1` is `norm.1`."""
    return {_OLD_KEY.sub(r"\1\2", key): value for key, value in state.items()}


def _scaled(original: Any, num_classes: int, depth: float, width: float) -> nn.Module:
    features = original.features
    counts = tuple(
        _scaling.blocks(len(getattr(features, f"denseblock{i}")), depth) for i in range(1, 5)
    )
    growth = features.denseblock1.denselayer1.conv2.out_channels
    network: nn.Module = models.DenseNet(
        growth_rate=_scaling.channels(growth, width),
        block_config=counts,
        num_init_features=_scaling.channels(features.conv0.out_channels, width),
        num_classes=num_classes,
    )
    return network
