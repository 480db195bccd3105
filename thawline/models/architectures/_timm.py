"""Functions shared by the networks of timm: expected input, files of weights, blocks."""

import re
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import huggingface_hub
import timm
import torch
from torch import nn

from thawline.models import weights
from thawline.models.network import Description
from thawline.models.weights import WeightsFile

_FILE = "model.safetensors"


def describe(name: str) -> Description:
    """Describe the images that timm's default weights of a network expect."""
    config = timm.get_pretrained_cfg(name)
    return Description(image_size_px=config.input_size[-1], mean=config.mean, std=config.std)


def imagenet_weights(name: str) -> WeightsFile | None:
    """Find the file in Hugging Face's cache, where timm keeps it."""
    found = huggingface_hub.try_to_load_from_cache(_repository(name), _FILE)
    return _weights_file(Path(found)) if isinstance(found, str) else None


def download(name: str) -> WeightsFile:
    """Fetch the file into Hugging Face's cache.

    Raises:
        Exception: any of urllib or huggingface_hub; the file cannot be had.
    """
    with weights.patience():
        # Without a network huggingface_hub asks six times, for half a minute, before it gives up.
        asked = Request(huggingface_hub.hf_hub_url(_repository(name), _FILE), method="HEAD")
        urlopen(asked).close()
        path = huggingface_hub.hf_hub_download(
            _repository(name), _FILE, etag_timeout=weights.PATIENCE_S
        )
    return _weights_file(Path(path))


def origin(name: str) -> str:
    """Say how a person gets the file to where it has to lie."""
    return f"run `hf download {_repository(name)} {_FILE}` where there is a network"


def convert(state: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:  # noqa: ARG001
    """Return the tensors as they are: timm's files name them as its networks do."""
    return state


def efficientnet_blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """List the blocks of timm's EfficientNet class (also MobileNet v1 and others), without head.

    MobileNet v1 has no convolution after its stages: no tail.
    """
    tail = nn.Sequential(network.conv_head, network.bn2)
    return [
        ("stem", nn.Sequential(network.conv_stem, network.bn1)),
        *((f"stage{i}", stage) for i, stage in enumerate(network.blocks, start=1)),
        *([("tail", tail)] if any(True for _ in tail.parameters()) else []),
        ("pool", network.global_pool),
    ]


def _repository(name: str) -> str:
    return str(timm.get_pretrained_cfg(name).hf_hub_id)


def _weights_file(path: Path) -> WeightsFile:
    """Read the expected hash off the file that the link leads to, which its SHA-256 names."""
    target = path.resolve().name
    known = re.fullmatch(r"[0-9a-f]{64}", target)
    return WeightsFile(path=path, sha256=target if known else "")
