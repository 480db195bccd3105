"""VGG: plain rows of 3x3 convolutions, large and slow for their accuracy.

Source: K. Simonyan and A. Zisserman, 2015, "Very deep convolutional networks for large-scale image
recognition". Recipe: SGD, momentum 0.9, rate 0.01, weight decay 5e-4, step decay. Those with batch
norm (`_bn`) train from scratch at ten times the rate; without it start at 0.01 or below.
"""

from collections.abc import Iterator
from typing import Any

from torch import nn
from torchvision import models
from torchvision.models.vgg import make_layers

from thawline.models.architectures import _scaling, _torchvision

NAMES = (
    "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
)  # fmt: skip
FROM_SCRATCH = {
    "vgg??": {
        "transfer_learn": {"learning_rate": 0.0003, "clip_norm": 1.0},
        "fine_tune": {"learning_rate": 0.003, "clip_norm": 1.0},
    },
}
"""Values for training from scratch without batch norm, where the usual rates diverge."""
SMALLEST_PX = {
    "vgg11": {"imagenet": 32},
    "vgg11_bn": {"imagenet": 32},
    "vgg13": {"imagenet": 32},
    "vgg13_bn": {"imagenet": 32},
    "vgg16": {"imagenet": 32},
    "vgg16_bn": {"imagenet": 32},
    "vgg19": {"imagenet": 32},
    "vgg19_bn": {"imagenet": 32},
}

describe = _torchvision.describe
imagenet_weights = _torchvision.imagenet_weights
download = _torchvision.download
origin = _torchvision.origin
convert = _torchvision.convert


def build(name: str, *, num_classes: int, dropout: float, depth: float, width: float) -> nn.Module:
    """Build torchvision's network, randomly initialised; both hidden layers have the dropout.

    Its first layers keep the resolution of any image, so there is no other stem.
    """
    options = {"num_classes": num_classes, "dropout": dropout}
    network: Any = models.get_model(name, weights=None, **options)
    if depth == width == 1:
        return network  # type: ignore[no-any-return]
    plan, last = _plan(network.features, depth, width)
    scaled = models.VGG(make_layers(plan, batch_norm=name.endswith("_bn")), **options)
    first = scaled.classifier[0]
    scaled.classifier[0] = nn.Linear(last * 7 * 7, first.out_features)
    nn.init.normal_(scaled.classifier[0].weight, 0, 0.01)
    nn.init.zeros_(scaled.classifier[0].bias)
    return scaled  # type: ignore[no-any-return]


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List the blocks; a stage ends with its pooling, and the two hidden layers are the tail."""
    classifier = network.classifier
    stages = (nn.Sequential(*stage) for stage in _stages(network.features))
    return [
        *((f"stage{i}", stage) for i, stage in enumerate(stages, start=1)),
        ("pool", nn.Sequential(network.avgpool, nn.Flatten())),
        ("tail", classifier[:5]),
        ("head", classifier[5:]),
    ]


def _stages(features: nn.Sequential) -> Iterator[list[nn.Module]]:
    stage: list[nn.Module] = []
    for layer in features:
        stage.append(layer)
        if isinstance(layer, nn.MaxPool2d):
            yield stage
            stage = []


def _plan(features: nn.Sequential, depth: float, width: float) -> tuple[list[int | str], int]:
    """Plan the layers for make_layers, and return the channels of the last stage too."""
    plan: list[int | str] = []
    channels = 0
    for stage in _stages(features):
        convolutions = [layer for layer in stage if isinstance(layer, nn.Conv2d)]
        channels = _scaling.channels(convolutions[0].out_channels, width)
        plan += [channels] * _scaling.blocks(len(convolutions), depth) + ["M"]
    return plan, channels
