"""Functions shared by the families of torchvision: expected input, files of weights."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision import models

from thawline.models import weights
from thawline.models.network import Description
from thawline.models.weights import WeightsFile


def describe(name: str) -> Description:
    """Describe the images that torchvision's best ImageNet weights of a network expect."""
    preset = _best(name).transforms()
    return Description(
        image_size_px=preset.crop_size[0], mean=tuple(preset.mean), std=tuple(preset.std)
    )


def imagenet_weights(name: str) -> WeightsFile | None:
    """Find the file in PyTorch's cache; its name holds the first digits of its SHA-256."""
    path = _cached(name)
    return WeightsFile(path=path, sha256=_digits(path)) if path.is_file() else None


def download(name: str) -> WeightsFile:
    """Fetch the file into PyTorch's cache.

    Raises:
        Exception: any of urllib or PyTorch; the file cannot be had.
    """
    path = _cached(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with weights.patience():
        torch.hub.download_url_to_file(_best(name).url, str(path), _digits(path), progress=False)
    return WeightsFile(path=path, sha256=_digits(path))


def origin(name: str) -> str:
    """Say where a person gets the file, and where it has to lie."""
    return f"fetch {_best(name).url} to {_cached(name)}"


def convert(state: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:  # noqa: ARG001
    """Return the tensors as they are: torchvision's files name them as its networks do."""
    return state


def _best(name: str) -> Any:
    return models.get_model_weights(name).DEFAULT


def _cached(name: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(_best(name).url).name


def _digits(path: Path) -> str:
    return path.stem.rsplit("-", 1)[1]
