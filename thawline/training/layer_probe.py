"""Probe the features after every block, to tell how deep they are worth keeping.

A rule of transfer learning, made measurable: the more the images resemble those that the network
was trained on, the later its best features lie, and the less of it has to be trained.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler

from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.features.cache import FeatureCache, describe_trunk
from thawline.features.layer_profile import BlockScore, Profile
from thawline.features.logme import logme
from thawline.models.device import to_input
from thawline.models.inference import BATCH, Normalisation
from thawline.models.multilevel import map_of
from thawline.models.network import Network
from thawline.runtime.progress import track
from thawline.training import linear_probe
from thawline.training.freezing import trainable_blocks


def measure(
    network: Network,
    normalisation: Normalisation,
    store: ImageStore,
    manifest: Manifest,
    *,
    split: str,
    seed: int,
    device: torch.device,
    cache: FeatureCache | None = None,
) -> Profile:
    """Score each block by a linear probe and by LogME, on a sample of a split.

    One forward pass, in float32 whatever training's precision. Equal arguments give an equal
    profile. `network` is in evaluation mode, on the device. `split` is train, or val for a network
    whose blocks were trained on the training rows: every block that has seen their labels would
    tell those apart.
    """
    rows = manifest.rows(split)
    labels, groups = manifest.labels[rows], _groups(manifest, rows)
    at = linear_probe.sample(labels, groups, np.random.default_rng(seed))
    labels, groups = labels[at], groups[at]
    num_classes = len(np.unique(labels))
    if num_classes < 2:
        return Profile(scores=(), split=split, num_rows=len(at), num_classes=num_classes)
    pooled = _kept(network, normalisation, store, rows[at], device, cache)
    parts = linear_probe.folds(labels, groups, seed)
    scores = [
        _score(name, features, labels, parts)
        for name, features in track(pooled.items(), "probes", len(pooled))
    ]
    return Profile(scores=tuple(scores), split=split, num_rows=len(at), num_classes=num_classes)


def block_features(
    network: Network,
    images: Iterable[np.ndarray],
    normalisation: Normalisation,
    *,
    device: torch.device,
) -> dict[str, np.ndarray]:
    """Compute the features after each block with parameters, averaged over the positions.

    Batches of `images` are uint8 (B, S, S, 3).

    Returns:
        Block name to float64 (N, D), in the order of the forward pass, without the head.
    """
    names = [name for name, _ in network.named_children()]
    wanted = trainable_blocks(network)
    found: dict[str, list[np.ndarray]] = {names[i]: [] for i in wanted}
    with torch.inference_mode():
        for batch in images:
            values = to_input(batch, mean=normalisation.mean, std=normalisation.std, device=device)
            for i, block in enumerate(network[: wanted[-1] + 1]):
                values = block(values)
                if i in wanted:
                    found[names[i]].append(_pooled(map_of(values)))
    return {name: np.concatenate(parts).astype(np.float64) for name, parts in found.items()}


def _kept(
    network: Network,
    normalisation: Normalisation,
    store: ImageStore,
    rows: np.ndarray,
    device: torch.device,
    cache: FeatureCache | None,
) -> dict[str, np.ndarray]:
    """Compute the features of rows, or take them from the cache, side by side in one array."""
    if cache is None:
        images = store.batches(rows, BATCH)
        return block_features(network, images, normalisation, device=device)

    def side_by_side() -> Iterator[np.ndarray]:
        total = -(-len(rows) // BATCH)
        for batch in track(store.batches(rows, BATCH), "features of every block", total):
            found = block_features(network, [batch], normalisation, device=device)
            yield np.concatenate(list(found.values()), axis=1).astype(np.float32)

    first = block_features(network, [store.take(rows[:1])], normalisation, device=device)
    known_by = describe_trunk(
        network[:-1], store, rows, normalisation, precision="float32", device=device
    )
    known_by["blocks"] = ", ".join(first)
    array = cache.get(known_by, len(rows), side_by_side).astype(np.float64)
    ends = np.cumsum([features.shape[1] for features in first.values()])[:-1]
    return dict(zip(first, np.split(array, ends, axis=1), strict=True))


def _pooled(values: torch.Tensor) -> np.ndarray:
    pooled = values.flatten(2).mean(dim=2) if values.ndim > 2 else values
    averaged: np.ndarray = pooled.cpu().numpy()
    return averaged


def _score(
    name: str, features: np.ndarray, labels: np.ndarray, parts: Sequence[linear_probe.Fold]
) -> BlockScore:
    right = linear_probe.correct(features, labels, parts)
    accuracy, error = linear_probe.balanced_accuracy(right, labels)
    return BlockScore(
        block=name,
        num_features=features.shape[1],
        accuracy=accuracy,
        error=error,
        logme=logme(StandardScaler().fit_transform(features), labels),
    )


def _groups(manifest: Manifest, rows: np.ndarray) -> np.ndarray:
    """Give each group of rows a number, int64 (N,); a row without a group is one of its own."""
    named = [manifest.groups[row] or f"\0{row}" for row in rows]
    return np.unique(named, return_inverse=True)[1] if named else np.empty(0, np.int64)
