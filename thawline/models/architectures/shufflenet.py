"""ShuffleNet v2: grouped work on half of the channels, which are then shuffled; quick on CPUs.

Source: N. Ma et al., 2018, "ShuffleNet V2: practical guidelines for efficient CNN architecture
design". Recipe: SGD, momentum 0.9, rate 0.5 per 1024 images, weight decay 4e-5 (2e-5 with
torchvision), linear or cosine decay.
"""

from typing import Any

from torch import nn
from torchvision import models

from thawline.models.architectures import _resolution, _scaling, _torchvision
from thawline.params.schema.design import Stem

NAMES = ("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0")
FROM_SCRATCH = {"*": {"fine_tune": {"weight_decay": 0.00004}}}
"""Values for training from scratch: the usual decay takes depthwise filters' nine weights away."""

describe = _torchvision.describe
imagenet_weights = _torchvision.imagenet_weights
download = _torchvision.download
origin = _torchvision.origin
convert = _torchvision.convert


def build(
    name: str, *, num_classes: int, dropout: float, stem: Stem, depth: float, width: float
) -> nn.Module:
    """Build torchvision's network, randomly initialised, with a dropout before the classifier."""
    network: Any = models.get_model(name, weights=None, num_classes=num_classes)
    if not depth == width == 1:
        counts = [
            _scaling.blocks(len(s), depth) for s in (network.stage2, network.stage3, network.stage4)
        ]
        channels = [_scaling.channels(c, width) for c in network._stage_out_channels]
        network = models.ShuffleNetV2(counts, channels, num_classes=num_classes)
    if stem == "small":
        _resolution.kept(network.conv1[0])
        network.maxpool = nn.Identity()
    network.head_dropout = nn.Dropout(dropout)
    return network  # type: ignore[no-any-return]


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List the blocks; stage1 is the first after the stem, which the paper counts as a stage."""
    stages = (network.stage2, network.stage3, network.stage4)
    return [
        ("stem", nn.Sequential(network.conv1, network.maxpool)),
        *((f"stage{i}", stage) for i, stage in enumerate(stages, start=1)),
        ("tail", network.conv5),
        ("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())),
        ("head", nn.Sequential(network.head_dropout, network.fc)),
    ]
