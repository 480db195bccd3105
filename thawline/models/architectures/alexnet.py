"""AlexNet: the first deep network to win on ImageNet; of historical interest today.

Source: A. Krizhevsky, 2014, "One weird trick for parallelizing convolutional neural networks", the
variant in torchvision. Recipe: SGD, momentum 0.9, rate 0.01, weight decay 5e-4, step decay. Without
normalisation layers it learns nothing at the rates of the families that have them.
"""

from typing import Any

from torch import nn
from torchvision import models

from thawline.models.architectures import _resolution, _torchvision
from thawline.params.schema.design import Stem

NAMES = ("alexnet",)
FROM_SCRATCH = {
    "*": {
        "transfer_learn": {"learning_rate": 0.0003, "clip_norm": 1.0},
        "fine_tune": {"learning_rate": 0.003, "clip_norm": 1.0},
    },
}
"""Values for training from scratch: without normalisation layers the usual rates diverge."""
SMALLEST_PX = {"alexnet": {"imagenet": 63, "small": 16}}

describe = _torchvision.describe
imagenet_weights = _torchvision.imagenet_weights
download = _torchvision.download
origin = _torchvision.origin
convert = _torchvision.convert


def build(name: str, *, num_classes: int, dropout: float, stem: Stem) -> nn.Module:
    """Build torchvision's network, randomly initialised; both hidden layers have the dropout."""
    network: Any = models.get_model(name, weights=None, num_classes=num_classes, dropout=dropout)
    if stem == "small":
        network.features[0] = _resolution.kept(network.features[0])
        network.features[2] = nn.Identity()
    return network  # type: ignore[no-any-return]


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List a block per convolution, and the two pretrained hidden layers as the tail."""
    features, classifier = network.features, network.classifier
    return [
        ("stem", features[:3]),
        ("stage1", features[3:6]),
        ("stage2", features[6:8]),
        ("stage3", features[8:10]),
        ("stage4", features[10:]),
        ("pool", nn.Sequential(network.avgpool, nn.Flatten())),
        ("tail", classifier[:6]),
        ("head", classifier[6:]),
    ]
