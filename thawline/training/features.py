"""What a frozen trunk says of each image, computed once instead of once per epoch."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from thawline.checkpoint import ModelCard
from thawline.data.store import ImageStore
from thawline.data.views import Step, Views, repeats
from thawline.inference import BATCH, outputs
from thawline.progress import track


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
            total=-(-len(indices) // BATCH),
        )
        computed.append(outputs(trunk, batches, card, precision=precision, device=device))
    return computed


def _augmented(
    views: Views, store: ImageStore, indices: np.ndarray, epoch: int
) -> Iterator[np.ndarray]:
    count = repeats(indices)
    for start in range(0, len(indices), BATCH):
        rows = indices[start : start + BATCH]
        images = store.take(rows)
        yield np.stack(
            [
                views(image, epoch=epoch, row=int(row), repeat=int(repeat))
                for image, row, repeat in zip(
                    images, rows, count[start : start + BATCH], strict=True
                )
            ]
        )
