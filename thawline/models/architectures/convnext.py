"""ConvNeXt: a ResNet with the large kernels, layer norm and few activations of a transformer.

Source: Z. Liu et al., 2022, "A ConvNet for the 2020s". Recipe: AdamW, rate 4e-3 per 4096 images
(1e-3 per 1024), weight decay 0.05, cosine with warm-up, strong augmentation, many epochs: on few
images from scratch it falls behind a ResNet.
"""

from typing import Any

from torch import nn
from torchvision import models
from torchvision.models.convnext import CNBlockConfig

from thawline.models.architectures import _resolution, _scaling, _torchvision
from thawline.params.schema.design import Stem

NAMES = ("convnext_tiny", "convnext_small", "convnext_base", "convnext_large")
FROM_SCRATCH = {
    "*": {
        "transfer_learn": {
            "optimizer": "adamw", "learning_rate": 0.0005, "weight_decay": 0.05,
            "warmup_ratio": 0.2,
        },
        "fine_tune": {"optimizer": "adamw", "learning_rate": 0.0001, "weight_decay": 0.05},
    },
}  # fmt: skip
"""Values for training from scratch: AdamW as for transformers, since SGD does not get there."""
SMALLEST_PX = {
    "convnext_tiny": {"imagenet": 32},
    "convnext_small": {"imagenet": 32},
    "convnext_base": {"imagenet": 32},
    "convnext_large": {"imagenet": 32},
}

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
        network = _scaled(network, num_classes, depth, width)
    if stem == "small":
        network.features[0][0] = _resolution.kept(network.features[0][0])
    network.head_dropout = nn.Dropout(dropout)
    return network  # type: ignore[no-any-return]


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List the blocks; a stage begins with the layer that halves the resolution."""
    stem, first, *rest = network.features
    later = (nn.Sequential(*pair) for pair in zip(rest[::2], rest[1::2], strict=True))
    norm, flatten, linear = network.classifier
    return [
        ("stem", stem),
        *((f"stage{i}", stage) for i, stage in enumerate((first, *later), start=1)),
        ("pool", network.avgpool),
        ("tail", nn.Sequential(norm, flatten)),
        ("head", nn.Sequential(network.head_dropout, linear)),
    ]


def _scaled(original: Any, num_classes: int, depth: float, width: float) -> nn.Module:
    stages = original.features[1::2]
    sizes = [_scaling.channels(stage[0].block[0].in_channels, width) for stage in stages]
    setting = [
        CNBlockConfig(size, after, _scaling.blocks(len(stage), depth))
        for size, after, stage in zip(sizes, [*sizes[1:], None], stages, strict=True)
    ]
    drop = stages[-1][-1].stochastic_depth.p
    network: nn.Module = models.ConvNeXt(
        setting, stochastic_depth_prob=drop, num_classes=num_classes
    )
    return network
