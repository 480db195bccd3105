"""SqueezeNet: AlexNet's accuracy with a fiftieth of its weights.

Source: F. Iandola et al., 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters".
Recipe: SGD, momentum 0.9, rate 0.01 (0.04 in the paper, with linear decay), weight decay 2e-4.
Without normalisation layers it diverges at the rates of the families that have them.
"""

from typing import Any

from torch import nn
from torchvision import models

from thawline.models.architectures import _resolution, _torchvision
from thawline.params.schema.design import Stem

NAMES = ("squeezenet1_1", "squeezenet1_0")
FROM_SCRATCH = {
    "*": {
        "transfer_learn": {"learning_rate": 0.0003, "clip_norm": 1.0},
        "fine_tune": {"learning_rate": 0.003, "clip_norm": 1.0},
    },
}
"""Values for training from scratch: without normalisation layers the usual rates diverge."""
SMALLEST_PX = {
    "squeezenet1_1": {"imagenet": 17, "small": 16},
    "squeezenet1_0": {"imagenet": 21, "small": 16},
}

describe = _torchvision.describe
imagenet_weights = _torchvision.imagenet_weights
download = _torchvision.download
origin = _torchvision.origin
convert = _torchvision.convert


def build(name: str, *, num_classes: int, dropout: float, stem: Stem) -> nn.Module:
    """Build torchvision's network, randomly initialised."""
    network: Any = models.get_model(name, weights=None, num_classes=num_classes, dropout=dropout)
    if stem == "small":
        network.features[0] = _resolution.kept(network.features[0])
        network.features[2] = nn.Identity()
    return network  # type: ignore[no-any-return]


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List a stage per pooling.

    The head classifies each position of the map and averages: its classifier is a 1x1 convolution.
    A linear layer behind the pooling would not be the same, since a ReLU is between the two.
    """
    stem, *inner = _between_poolings(network.features)
    return [
        ("stem", stem),
        *((f"stage{i}", stage) for i, stage in enumerate(inner, start=1)),
        ("head", nn.Sequential(*network.classifier, nn.Flatten())),
    ]


def _between_poolings(features: nn.Sequential) -> list[nn.Sequential]:
    stem, rest = features[:3], features[3:]
    ends = [i + 1 for i, layer in enumerate(rest) if isinstance(layer, nn.MaxPool2d)]
    starts = [0, *ends]
    return [stem, *(rest[a:b] for a, b in zip(starts, [*ends, len(rest)], strict=True))]
