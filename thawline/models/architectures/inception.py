"""GoogLeNet and Inception-v3: convolutions of several sizes side by side; quick on a GPU.

Source: C. Szegedy et al., 2015, "Going deeper with convolutions"; 2016, "Rethinking the Inception
architecture for computer vision". In training, auxiliary classifiers half-way up add to the loss:
0.3 of each in GoogLeNet (section 5 of its paper), 0.4 in Inception-v3 (as in the authors' code and
PyTorch's). Recipe: SGD, momentum 0.9, rate 0.01 to 0.1 per 256 images; Inception-v3 RMSprop, rate
0.045, decay 0.94 every two epochs, label smoothing 0.1.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torchvision import models

from thawline.models.architectures import _resolution, _torchvision
from thawline.models.auxiliary_heads import WithAuxiliary
from thawline.models.network import Description
from thawline.params.schema.design import Stem

NAMES = ("googlenet", "inception_v3")
SMALLEST_PX = {"inception_v3": {"imagenet": 75, "small": 19}}

_GOOGLENET_WEIGHT = 0.3
_INCEPTION_V3_WEIGHT = 0.4
_AUXILIARY_SIDE = 17
"""Side of the map that Inception-v3's auxiliary classifier takes for an image of 299 px."""

imagenet_weights = _torchvision.imagenet_weights
download = _torchvision.download
origin = _torchvision.origin
convert = _torchvision.convert


def describe(name: str) -> Description:
    """Describe the images that the weights expect: values from -1 to 1.

    torchvision itself converts to them within the network.
    """
    half = (0.5, 0.5, 0.5)
    size = _torchvision.describe(name).image_size_px
    return Description(image_size_px=size, mean=half, std=half)


def build(name: str, *, num_classes: int, dropout: float, stem: Stem) -> nn.Module:
    """Build torchvision's network with its auxiliary classifiers, randomly initialised."""
    network: Any = models.get_model(
        name,
        weights=None,
        num_classes=num_classes,
        dropout=dropout,
        aux_logits=True,
        transform_input=False,
        init_weights=True,
    )
    if stem == "small":
        first = network.conv1 if name == "googlenet" else network.Conv2d_1a_3x3
        first.conv = _resolution.kept(first.conv)
        network.maxpool1 = nn.Identity()
    return network  # type: ignore[no-any-return]


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List the blocks; stages end with a pooling or an auxiliary classifier."""
    body = _googlenet(network) if hasattr(network, "aux1") else _inception_v3(network)
    return [
        *body,
        ("pool", nn.Sequential(network.avgpool, nn.Flatten())),
        ("head", nn.Sequential(network.dropout, network.fc)),
    ]


def _googlenet(n: Any) -> list[tuple[str, nn.Module]]:
    middle = nn.Sequential(n.inception4b, n.inception4c, n.inception4d)
    return [
        ("stem", nn.Sequential(n.conv1, n.maxpool1, n.conv2, n.conv3, n.maxpool2)),
        ("stage1", nn.Sequential(n.inception3a, n.inception3b, n.maxpool3)),
        ("stage2", WithAuxiliary(n.inception4a, n.aux1, weight=_GOOGLENET_WEIGHT)),
        ("stage3", WithAuxiliary(middle, n.aux2, weight=_GOOGLENET_WEIGHT)),
        ("stage4", nn.Sequential(n.inception4e, n.maxpool4)),
        ("stage5", nn.Sequential(n.inception5a, n.inception5b)),
    ]


def _inception_v3(n: Any) -> list[tuple[str, nn.Module]]:
    stem = (n.Conv2d_1a_3x3, n.Conv2d_2a_3x3, n.Conv2d_2b_3x3, n.maxpool1, n.Conv2d_3b_1x1)
    middle = nn.Sequential(n.Mixed_6a, n.Mixed_6b, n.Mixed_6c, n.Mixed_6d, n.Mixed_6e)
    auxiliary = nn.Sequential(_Enlarged(), n.AuxLogits)
    return [
        ("stem", nn.Sequential(*stem, n.Conv2d_4a_3x3, n.maxpool2)),
        ("stage1", nn.Sequential(n.Mixed_5b, n.Mixed_5c, n.Mixed_5d)),
        ("stage2", WithAuxiliary(middle, auxiliary, weight=_INCEPTION_V3_WEIGHT)),
        ("stage3", nn.Sequential(n.Mixed_7a, n.Mixed_7b, n.Mixed_7c)),
    ]


class _Enlarged(nn.Module):
    """Layer that enlarges a map to that of an image of 299 px; larger maps pass as they are.

    In a smaller map the auxiliary classifier's 5x5 kernels would find nothing.
    """

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        if min(maps.shape[2:]) >= _AUXILIARY_SIDE:
            return maps
        return functional.interpolate(maps, size=_AUXILIARY_SIDE, mode="bilinear")
