"""Any network of timm with a single linear classifier: the families that have no module here.

Source: R. Wightman, "PyTorch image models", https://github.com/huggingface/pytorch-image-models.
Recipe: AdamW, rate 1e-3 per 1024 images, weight decay 0.05, cosine with warm-up; each network's own
is in timm's documentation. Some take images of one size only, transformers among them.
"""

import difflib
from typing import Any

import timm
import torch
from timm.models.efficientnet import EfficientNet
from timm.models.resnet import ResNet
from torch import nn

from thawline.errors import UserError
from thawline.models.architectures import _timm
from thawline.models.network import Description
from thawline.runtime.escape import escape

NAMES = None
"""Any name that timm knows; `timm.list_models()` lists them."""

imagenet_weights = _timm.imagenet_weights
download = _timm.download
origin = _timm.origin


class _Split(nn.Module):
    """Network of timm, split into trunk and classifier."""

    def __init__(self, trunk: nn.Module, classifier: nn.Linear, name: str) -> None:
        super().__init__()
        self.trunk = trunk
        self.classifier = classifier
        self.classifier_name = name
        """Name of the network in timm."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(self.trunk(images))
        return logits


def describe(name: str) -> Description:
    """Describe the images that timm's default weights expect.

    Raises:
        UserError: timm has no such network.
    """
    _check(name)
    return _timm.describe(name)


def build(name: str, *, num_classes: int, dropout: float) -> nn.Module:
    """Build timm's network, randomly initialised, its classifier apart.

    Raises:
        UserError: timm has no such network, or it does not end in one linear classifier.
    """
    _check(name)
    network = timm.create_model(name, num_classes=num_classes, drop_rate=dropout)
    at = network.pretrained_cfg.get("classifier")
    classifier = network.get_submodule(at) if isinstance(at, str) else None
    if not isinstance(classifier, nn.Linear):
        raise UserError(f"model.name: {name!r} does not end in one linear classifier")
    network.set_submodule(at, nn.Identity())
    return _Split(network, classifier, at)


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List the stages of timm's most common convolutional classes, else one trunk.

    The dropout of the others is inside the trunk, so a frozen trunk does without.
    """
    trunk = network.trunk
    head = nn.Sequential(nn.Dropout(getattr(trunk, "drop_rate", 0.0)), network.classifier)
    if isinstance(trunk, EfficientNet):
        return [*_timm.efficientnet_blocks(trunk), ("head", head)]
    if isinstance(trunk, ResNet):
        return [*_resnet_blocks(trunk), ("head", head)]
    return [("trunk", trunk), ("head", nn.Sequential(network.classifier))]


def convert(state: dict[str, torch.Tensor], network: Any) -> dict[str, torch.Tensor]:
    """Rename timm's tensors to the names of the two parts."""
    before = network.classifier_name + "."
    return {
        f"classifier.{key.removeprefix(before)}" if key.startswith(before) else f"trunk.{key}": v
        for key, v in state.items()
    }


def _resnet_blocks(trunk: Any) -> list[tuple[str, nn.Module]]:
    stages = (trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4)
    return [
        ("stem", nn.Sequential(trunk.conv1, trunk.bn1, trunk.act1, trunk.maxpool)),
        *((f"stage{i}", stage) for i, stage in enumerate(stages, start=1)),
        ("pool", trunk.global_pool),
    ]


def _check(name: str) -> None:
    if timm.is_model(name):  # also keeps create_model from names like `hf-hub:...`
        return
    close = difflib.get_close_matches(name, timm.list_models(), n=1)
    hint = f". Did you mean {close[0]!r}?" if close else ""
    raise UserError(f"model.name: {escape(name)!r} is no network of timm{hint}")
