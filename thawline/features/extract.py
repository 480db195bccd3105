"""Compute a frozen trunk's features of each image once, instead of once per epoch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from thawline.augment._transforms import Step
from thawline.dataset.image_store import ImageStore
from thawline.features import fingerprints
from thawline.features.cache import FeatureCache, describe_trunk
from thawline.features.view_batches import ViewBatches
from thawline.models.inference import Normalisation, batch_outputs, images_at_once
from thawline.runtime.progress import track

Images = Callable[[], Iterable[np.ndarray]]


def compute_views(
    trunk: nn.Module,
    store: ImageStore,
    indices: np.ndarray,
    card: Normalisation,
    policy: Sequence[Step],
    *,
    num_views: int,
    seed: int,
    precision: str,
    device: torch.device,
    cache: FeatureCache | None = None,
    workers: int = 0,
) -> list[torch.Tensor]:
    """Compute features of num_views augmented views of the rows `indices`, float32 (M, ...) each.

    View v of a row is the image that training would show of it in epoch v. Without augmentation
    there is one view, and a row that is repeated is computed once. Any number of workers, processes
    that augment, gives the same.
    """
    numerics: dict[str, Any] = {"precision": precision, "device": device}
    if not policy:
        rows, position = np.unique(indices, return_inverse=True)
        plain = compute(trunk, store, rows, card, **numerics, cache=cache)
        return [plain if len(rows) == len(indices) else plain[torch.from_numpy(position)]]
    views = ViewBatches(store, indices, policy, seed=seed, workers=workers)
    size = images_at_once(store.image_size_px)
    in_order = [np.arange(i, min(i + size, len(indices))) for i in range(0, len(indices), size)]
    known_by = {}
    if cache is not None:
        known_by = describe_trunk(trunk, store, indices, card, **numerics)
        # A view is seeded by the number of its row.
        known_by["views"] = (
            f"{fingerprints.hash_values([list(policy), seed])} {fingerprints.hash_arrays(indices)}"
        )
    computed = []
    for epoch in range(num_views):
        shown = partial(_augmented, views, epoch, in_order)
        known_by["view"] = str(epoch)
        title = f"features, view {epoch + 1}"
        run = partial(_through, trunk, shown, card, title, len(in_order), **numerics)
        computed.append(_kept(run, known_by, len(indices), cache))
    return computed


def compute(
    trunk: nn.Module,
    store: ImageStore,
    rows: np.ndarray,
    card: Normalisation,
    *,
    precision: str,
    device: torch.device,
    cache: FeatureCache | None = None,
) -> torch.Tensor:
    """Compute features of the images without augmentation, float32 (N, ...)."""
    numerics: dict[str, Any] = {"precision": precision, "device": device}
    size = images_at_once(store.image_size_px)
    shown, total = partial(store.batches, rows, size), -(-len(rows) // size)
    run = partial(_through, trunk, shown, card, "features of the rows", total, **numerics)
    known_by = {} if cache is None else describe_trunk(trunk, store, rows, card, **numerics)
    return _kept(run, known_by, len(rows), cache)


def _kept(
    run: Images, known_by: dict[str, str], num_rows: int, cache: FeatureCache | None
) -> torch.Tensor:
    """Compute features or take them from the cache; maps keep their channels last in memory."""
    array = np.concatenate(list(run())) if cache is None else cache.get(known_by, num_rows, run)
    found = torch.from_numpy(array)
    return found.permute(0, 3, 1, 2) if found.ndim == 4 else found


def _through(
    trunk: nn.Module,
    images: Images,
    card: Normalisation,
    title: str,
    total: int,
    *,
    precision: str,
    device: torch.device,
) -> Iterator[np.ndarray]:
    shown = track(images(), title, total=total)
    for output in batch_outputs(trunk, shown, card, precision=precision, device=device):
        rows = output.permute(0, 2, 3, 1) if output.ndim == 4 else output
        yield rows.contiguous().numpy()


def _augmented(
    views: ViewBatches, epoch: int, batches: Sequence[np.ndarray]
) -> Iterator[np.ndarray]:
    for images in views.epoch(epoch, batches):
        yield images.numpy()
