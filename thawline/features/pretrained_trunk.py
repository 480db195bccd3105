"""Compute features of a pretrained trunk, where rows are looked at before a network is chosen."""

from collections.abc import Callable

import numpy as np
import torch

from thawline.dataset.image_store import ImageStore
from thawline.features.cache import FeatureCache
from thawline.features.extract import compute
from thawline.features.levels import Key, extract, joined
from thawline.models import network as networks
from thawline.models import precision
from thawline.models.architectures import efficientnet
from thawline.models.batch_norm_folding import folded
from thawline.models.inference import images_at_once

_FAMILY = efficientnet.__name__.rpartition(".")[2]
"""Name of the family, imported above so that its file is a dependency of the stage like any
other."""


def features(
    store: ImageStore,
    rows: np.ndarray,
    *,
    name: str,
    device: torch.device,
    cache: FeatureCache | None = None,
) -> np.ndarray:
    """Compute the features of the last block before the head, without augmentation.

    `rows` of the store are int64 (N,); `name` is one of efficientnet.NAMES, the family whose
    ImageNet weights need no download.

    Returns:
        float32 (N, D), D = 1280 for EfficientNet-Lite0.

    Raises:
        UserError: there are no weights on this machine.
    """
    whole, described = _pretrained(name, device)
    trunk = folded(whole[:-1], store.image_size_px, device)
    found = compute(trunk, store, rows, described, precision="float32", device=device, cache=cache)
    return found.flatten(1).numpy()


def extractor(*, name: str, device: torch.device) -> Callable[[np.ndarray], dict[Key, np.ndarray]]:
    """Build a function that computes the features of every block, in the fastest numerics.

    It takes images, uint8 (N, S, S, 3) of any side, and returns float32 (N, D) of each block, in
    the order of the forward pass.

    Raises:
        UserError: there are no weights on this machine.
    """
    whole, described = _pretrained(name, device)
    forward = precision.choose(precision.AUTO, whole, device).forward

    def extracted(images: np.ndarray) -> dict[Key, np.ndarray]:
        size = images.shape[1]
        body = folded(whole[:-1], size, device)
        assert isinstance(body, torch.nn.Sequential)
        batches = np.array_split(
            images, range(images_at_once(size), len(images), images_at_once(size))
        )
        return joined(extract(body, batches, described, precision=forward, device=device))

    return extracted


def _pretrained(name: str, device: torch.device) -> tuple[networks.Network, networks.Description]:
    if name not in efficientnet.NAMES:
        raise ValueError(f"{name!r} is not one of {', '.join(efficientnet.NAMES)}")
    whole = networks.build_pretrained(_FAMILY, name, num_classes=2, dropout=0.0, seed=0)
    whole = whole.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return whole, networks.describe(_FAMILY, name)
