"""Show mixed batches in the picture of augmentation, by the code that mixes them in training."""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np
import torch

from thawline.augment._preview import NUM_VIEWS, Line, Part, first_rows
from thawline.augment._transforms import Step, Views
from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.training.examples import Batch
from thawline.training.mixup import MixedExamples

_GREY = (0.5, 0.5, 0.5)
"""Colour of erased pixels; in training it is the mean that the network subtracts."""


def part(
    stage: str,
    manifest: Manifest,
    store: ImageStore,
    policy: Sequence[Step],
    *,
    mixup_alpha: float,
    cutmix_alpha: float,
    random_erasing: float,
    seed: int,
) -> Part:
    """Draw a line per kind of mixing that is on, each with the erasing; else one of erasing alone.

    The title names `stage`, whose settings these are.
    """
    chosen = list(islice(cycle(first_rows(manifest)), NUM_VIEWS))
    views = Views(policy, seed)
    originals = [store[row] for row in chosen]
    seen = [views(o, epoch=0, row=r, repeat=0) for o, r in zip(originals, chosen, strict=True)]
    batch = torch.from_numpy(np.stack(seen)), torch.from_numpy(manifest.labels[chosen])
    kinds = {"mixup": (mixup_alpha, 0.0), "cutmix": (0.0, cutmix_alpha)}
    alphas = {name: pair for name, pair in kinds.items() if any(pair)} or {"erased": (0.0, 0.0)}
    lines: list[Line] = []
    for mixup, cutmix in alphas.values():
        mixed = MixedExamples(
            examples=_OneBatch(batch),
            mixup_alpha=mixup,
            cutmix_alpha=cutmix,
            random_erasing=random_erasing,
            num_classes=len(manifest.classes),
            mean=_GREY,
            seed=seed,
        )
        lines.append((originals[0], [_one(mixed, k) for k in range(NUM_VIEWS)]))
    what = f"{', '.join(alphas)}, random_erasing {random_erasing:g}"
    return Part(f"{stage}: {what}; an image from each of eight batches", lines)


def _one(mixed: MixedExamples, number: int) -> np.ndarray:
    """Mix an image in a batch of its own, since a batch has one share; uint8 (S, S, 3)."""
    images, _ = next(mixed.epoch(number))
    pixels: np.ndarray = images[number].round().to(torch.uint8).numpy()
    return pixels


class _OneBatch:
    """Examples that are one batch."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __len__(self) -> int:
        return len(self._batch[1])

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:  # noqa: ARG002
        yield self._batch
