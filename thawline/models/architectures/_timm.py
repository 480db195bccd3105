"""What the networks of timm share: what their weights expect, where these lie, their blocks."""

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
    """What timm's default weights of a network expect of an image."""
    config = timm.get_pretrained_cfg(name)
    return Description(image_size_px=config.input_size[-1], mean=config.mean, std=config.std)


def imagenet_weights(name: str) -> WeightsFile | None:
    """The file in Hugging Face's cache, where timm keeps it."""
    found = huggingface_hub.try_to_load_from_cache(_repository(name), _FILE)
    return _weights_file(Path(found)) if isinstance(found, str) else None


def download(name: str) -> WeightsFile:
    """Fetch the file into Hugging Face's cache.

    Raises:
        Exception: of urllib or huggingface_hub, when it is not to be had.
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
    """How a person gets the file to where it has to lie."""
    return f"run `hf download {_repository(name)} {_FILE}` where there is a network"


def convert(state: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:  # noqa: ARG001
    """timm's files name the tensors as its networks do."""
    return state


def efficientnet_blocks(network: Any) -> list[tuple[str, nn.Module]]:
    """Blocks of timm's EfficientNet class, MobileNet v1 and many others among them; no head.

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
    """Hugging Face names a large file by its SHA-256, and links to it by the name people see."""
    target = path.resolve().name
    known = re.fullmatch(r"[0-9a-f]{64}", target)
    return WeightsFile(path=path, sha256=target if known else "")
