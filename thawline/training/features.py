"""What a frozen trunk says of each image, computed once instead of once per epoch."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import nn

from thawline.checkpoint import ModelCard
from thawline.data.store import ImageStore
from thawline.data.views import Step, Views, repeats
from thawline.network import Network
from thawline.progress import track
from thawline.training.device import numerics, to_input

_BATCH = 64


def compute(
    trunk: nn.Module,
    images: Iterable[np.ndarray],
    card: ModelCard,
    *,
    precision: str,
    device: torch.device,
) -> torch.Tensor:
    """Outputs of a fixed trunk.

    Args:
        trunk: in evaluation mode.
        images: uint8 (B, S, S, 3) each.

    Returns:
        float32 (N, ...) on the CPU, in the order of the images.
    """
    outputs = []
    with torch.inference_mode(), numerics(precision, device):
        for batch in images:
            inputs = to_input(batch, mean=card.mean, std=card.std, device=device)
            outputs.append(trunk(inputs).float().cpu())
    return torch.cat(outputs).clone()


def probabilities(
    network: Network,
    images: Iterable[np.ndarray],
    card: ModelCard,
    *,
    device: torch.device = torch.device("cpu"),  # noqa: B008 - immutable
) -> np.ndarray:
    """What a whole network says of images, in float32: (N, num_classes), rows summing to 1."""
    logits = compute(network, images, card, precision="float32", device=device)
    return torch.softmax(logits, dim=1).numpy()


def compute_views(
    trunk: nn.Module,
    store: ImageStore,
    indices: np.ndarray,
    card: ModelCard,
    policy: Sequence[Step],
    *,
    num_views: int,
    seed: int,
    precision: str,
    device: torch.device,
) -> list[torch.Tensor]:
    """Features of num_views augmented views of the given rows: float32 (M, ...) each.

    View v of a row equals what image training would show of it in epoch v. Without
    augmentation all views are one.
    """
    views = Views(policy, seed)
    computed = []
    for epoch in range(num_views if policy else 1):
        batches = track(
            _augmented(views, store, indices, epoch),
            f"features, view {epoch + 1}",
            total=-(-len(indices) // _BATCH),
        )
        computed.append(compute(trunk, batches, card, precision=precision, device=device))
    return computed


def _augmented(
    views: Views, store: ImageStore, indices: np.ndarray, epoch: int
) -> Iterator[np.ndarray]:
    count = repeats(indices)
    for start in range(0, len(indices), _BATCH):
        rows = indices[start : start + _BATCH]
        images = store.take(rows)
        yield np.stack(
            [
                views(image, epoch=epoch, row=int(row), repeat=int(repeat))
                for image, row, repeat in zip(
                    images, rows, count[start : start + _BATCH], strict=True
                )
            ]
        )
