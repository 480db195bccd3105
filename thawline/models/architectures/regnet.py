"""RegNet X and Y: residual networks whose stages follow one rule; Y with squeeze-and-excitation.

Source: I. Radosavovic et al., 2020, "Designing network design spaces". Recipe: SGD, momentum 0.9,
rate 0.1 per 128 images, weight decay 5e-5, cosine with five epochs of warm-up.
"""

from typing import Any

import torch
from torch import nn
from torchvision import models
from torchvision.models.regnet import BlockParams

from thawline.models.architectures import _resolution, _scaling, _torchvision
from thawline.params.schema.design import Stem

NAMES = (
    "regnet_x_400mf", "regnet_x_800mf", "regnet_x_1_6gf", "regnet_x_3_2gf", "regnet_x_8gf",
    "regnet_x_16gf", "regnet_x_32gf", "regnet_y_400mf", "regnet_y_800mf", "regnet_y_1_6gf",
    "regnet_y_3_2gf", "regnet_y_8gf", "regnet_y_16gf", "regnet_y_32gf", "regnet_y_128gf",
)  # fmt: skip

_RULES = {
    "regnet_x_400mf": (22, 24, 24.48, 2.54, 16),
    "regnet_x_800mf": (16, 56, 35.73, 2.28, 16),
    "regnet_x_1_6gf": (18, 80, 34.01, 2.25, 24),
    "regnet_x_3_2gf": (25, 88, 26.31, 2.25, 48),
    "regnet_x_8gf": (23, 80, 49.56, 2.88, 120),
    "regnet_x_16gf": (22, 216, 55.59, 2.1, 128),
    "regnet_x_32gf": (23, 320, 69.86, 2.0, 168),
    "regnet_y_400mf": (16, 48, 27.89, 2.09, 8),
    "regnet_y_800mf": (14, 56, 38.84, 2.4, 16),
    "regnet_y_1_6gf": (27, 48, 20.71, 2.65, 24),
    "regnet_y_3_2gf": (21, 80, 42.63, 2.66, 24),
    "regnet_y_8gf": (17, 192, 76.82, 2.19, 56),
    "regnet_y_16gf": (18, 200, 106.23, 2.48, 112),
    "regnet_y_32gf": (20, 232, 115.89, 2.53, 232),
    "regnet_y_128gf": (27, 456, 160.83, 2.52, 264),
}
"""Blocks, first width, slope and quantisation of the widths, width of a group: as in torchvision,
whose own functions for these names take neither depth nor width.
"""
_STEM_CHANNELS = 32

describe = _torchvision.describe
imagenet_weights = _torchvision.imagenet_weights
download = _torchvision.download
origin = _torchvision.origin
convert = _torchvision.convert


def build(
    name: str, *, num_classes: int, dropout: float, stem: Stem, depth: float, width: float
) -> nn.Module:
    """Build torchvision's network, randomly initialised, with a dropout before the classifier.

    Channels come in multiples of a group's, which stays as it is.
    """
    network: Any = models.RegNet(
        _stages(name, depth, width),
        num_classes=num_classes,
        stem_width=_scaling.channels(_STEM_CHANNELS, width),
    )
    if stem == "small":
        _resolution.kept(network.stem[0])
    network.head_dropout = nn.Dropout(dropout)
    return network  # type: ignore[no-any-return]


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List the blocks: the four stages of the paper between stem and pooling."""
    return [
        ("stem", network.stem),
        *((f"stage{i}", stage) for i, stage in enumerate(network.trunk_output, start=1)),
        ("pool", nn.Sequential(network.avgpool, nn.Flatten())),
        ("head", nn.Sequential(network.head_dropout, network.fc)),
    ]


def _stages(name: str, depth: float, width: float) -> Any:
    count, first, slope, quantisation, group = _RULES[name]
    squeeze = 0.25 if name.startswith("regnet_y") else None
    with torch.device("cpu"):  # torchvision computes the numbers with tensors
        stages = BlockParams.from_init_params(
            count, first, slope, quantisation, group, se_ratio=squeeze
        )
    stages.depths = [_scaling.blocks(number, depth) for number in stages.depths]
    stages.widths = [
        _scaling.channels(channels, width, multiple=group)
        for channels, group in zip(stages.widths, stages.group_widths, strict=True)
    ]
    return stages
