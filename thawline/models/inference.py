"""Run a network on packed images without training it."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import nn

from thawline.models.checkpoint import ModelConfig
from thawline.models.device import numerics, to_input
from thawline.models.network import Network

BATCH = 64
_MOST = 256
_PIXELS = 2**20
"""Pixels of all images of a batch, where these are small."""


def images_at_once(image_size_px: int) -> int:
    """Choose the number of images of a batch where nothing is learned.

    Small maps leave a processor waiting between their layers: at 64 px a pass through
    EfficientNet-Lite0 takes 0.8 of its time in bfloat16 with 256 images instead of 64, and 0.94 in
    float32 (2 cores of an AMD EPYC with AVX-512); at 160 px the number makes no difference.
    """
    return min(_MOST, max(BATCH, _PIXELS // image_size_px**2))


class Normalisation(Protocol):
    """Mean and deviation that a network expects of pixels in [0, 1], as a ModelConfig has them."""

    @property
    def mean(self) -> tuple[float, float, float]: ...
    @property
    def std(self) -> tuple[float, float, float]: ...


def outputs(
    trunk: nn.Module,
    images: Iterable[np.ndarray],
    card: Normalisation,
    *,
    precision: str,
    device: torch.device,
) -> torch.Tensor:
    """Compute the outputs of a fixed network, or of its first blocks, for batches of images.

    `trunk` is in evaluation mode, on the device; `images` are uint8 (B, S, S, 3) each.

    Returns:
        float32 (N, ...) on the CPU, in the order of the images.
    """
    found = list(batch_outputs(trunk, images, card, precision=precision, device=device))
    return torch.cat(found).clone()


def batch_outputs(
    trunk: nn.Module,
    images: Iterable[np.ndarray],
    card: Normalisation,
    *,
    precision: str,
    device: torch.device,
) -> Iterator[torch.Tensor]:
    """Yield the outputs of each batch, float32 (B, ...) on the CPU."""
    for batch in images:
        with torch.inference_mode(), numerics(precision, device):
            inputs = to_input(batch, mean=card.mean, std=card.std, device=device)
            found = trunk(inputs).float().cpu()
        yield found


def probabilities(
    network: Network,
    images: Iterable[np.ndarray],
    card: ModelConfig,
    *,
    device: torch.device = torch.device("cpu"),  # noqa: B008 - immutable
) -> np.ndarray:
    """Predict class probabilities in float32: (N, num_classes), rows summing to 1."""
    logits = outputs(network, images, card, precision="float32", device=device)
    return torch.softmax(logits, dim=1).numpy()
