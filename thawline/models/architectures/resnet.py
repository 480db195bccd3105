"""ResNet, Wide ResNet and ResNeXt: residual blocks; a sound first choice for accuracy.

Source: K. He et al., 2016, "Deep residual learning for image recognition"; S. Zagoruyko and N.
Komodakis, 2016, "Wide residual networks"; S. Xie et al., 2017, "Aggregated residual
transformations". Recipe: SGD, momentum 0.9, rate 0.1 per 256 images, weight decay 1e-4, cosine or
step decay, a few epochs of warm-up.
"""

from typing import Any

from torch import nn
from torchvision import models

from thawline.models.architectures import _resolution, _scaling, _torchvision
from thawline.params.schema.design import Stem

NAMES = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2",
    "wide_resnet101_2", "resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d",
)  # fmt: skip

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
        network.conv1 = _resolution.kept(network.conv1)
        network.maxpool = nn.Identity()
    network.head_dropout = nn.Dropout(dropout)
    return network  # type: ignore[no-any-return]


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List the blocks: the four stages of the paper between stem and pooling."""
    stages = (network.layer1, network.layer2, network.layer3, network.layer4)
    return [
        ("stem", nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)),
        *((f"stage{i}", stage) for i, stage in enumerate(stages, start=1)),
        ("pool", nn.Sequential(network.avgpool, nn.Flatten())),
        ("head", nn.Sequential(network.head_dropout, network.fc)),
    ]


def _scaled(original: Any, num_classes: int, depth: float, width: float) -> nn.Module:
    layers = [original.layer1, original.layer2, original.layer3, original.layer4]
    block = type(original.layer1[0])
    counts = [_scaling.blocks(len(layer), depth) for layer in layers]
    options = {"groups": original.groups, "width_per_group": original.base_width}
    network: Any = models.ResNet(block, counts, num_classes=num_classes, **options)
    if width != 1:
        _widen(network, block, counts, num_classes, width)
    return network  # type: ignore[no-any-return]


def _widen(network: Any, block: Any, counts: list[int], num_classes: int, width: float) -> None:
    """Build the layers again: torchvision's constructor fixes their channels."""
    network.inplanes = _scaling.channels(64, width)
    network.conv1 = nn.Conv2d(3, network.inplanes, 7, stride=2, padding=3, bias=False)
    network.bn1 = nn.BatchNorm2d(network.inplanes)
    for i, count in enumerate(counts):
        planes = _scaling.channels(64 * 2**i, width)
        layer = network._make_layer(block, planes, count, stride=1 if i == 0 else 2)
        setattr(network, f"layer{i + 1}", layer)
    network.fc = nn.Linear(network.inplanes, num_classes)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
