"""Give the batches of an epoch: augmented images from the packed store, or features kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from thawline.augment._transforms import Step
from thawline.dataset.image_store import ImageStore
from thawline.features.view_batches import ViewBatches
from thawline.training.distributed import ALONE, Group

Batch = tuple[torch.Tensor, torch.Tensor]
"""Inputs of this process's share, and labels of the whole batch; one process has all of it."""


class Examples(Protocol):
    """Source of training batches, epoch by epoch."""

    def __len__(self) -> int:
        """Return the number of examples per epoch."""

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield inputs and labels, shuffled, from batch number `first` on.

        They are a function of the seed and the epoch alone.
        """


def order(
    num_examples: int, batch_size: int, *, seed: int, epoch: int, processes: int = 1
) -> list[np.ndarray]:
    """Shuffle positions into batches, int64 each.

    A last batch of one joins its neighbour, as batch norm has no variance over a single example; so
    does one of fewer examples than processes.
    """
    shuffled = np.random.default_rng([seed, epoch]).permutation(num_examples)
    batches = [shuffled[i : i + batch_size] for i in range(0, num_examples, batch_size)]
    if len(batches) > 1 and len(batches[-1]) < max(2, processes):
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


@dataclass(frozen=True, kw_only=True)
class HeldExamples:
    """Features of each of a few views, or images that nothing changes, held in memory.

    Attributes:
        views: one tensor (M, ...) per view; epoch e trains on view e mod len(views).
        labels: int64 (M,).
    """

    views: Sequence[torch.Tensor]
    labels: torch.Tensor
    batch_size: int
    seed: int
    group: Group = ALONE

    def __len__(self) -> int:
        return len(self.labels)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        view = self.views[epoch % len(self.views)]
        batches = order(
            len(self), self.batch_size, seed=self.seed, epoch=epoch, processes=self.group.size
        )
        for positions in batches[first:]:
            at = torch.from_numpy(positions)
            yield view[self.group.share(at)], self.labels[at]


class ImageExamples:
    """Augmented images, uint8 (B, S, S, 3), made in this process or in workers of it."""

    def __init__(
        self,
        store: ImageStore,
        indices: np.ndarray,
        labels: np.ndarray,
        policy: Sequence[Step],
        *,
        batch_size: int,
        seed: int,
        workers: int,
        group: Group = ALONE,
        whole_batches: bool = False,
    ) -> None:
        """Prepare the images of rows of the store.

        Args:
            store: packed images.
            indices: rows of the store, int64 (M,).
            labels: classes of the same positions, int64 (M,).
            policy: augmentation steps.
            batch_size: images of a batch, over all processes of the group.
            seed: seed of shuffling and augmentation.
            workers: processes that augment; any number gives the same batches.
            group: processes that train together.
            whole_batches: whether each process of the group gets all images of a batch.
        """
        self._views = ViewBatches(store, indices, policy, seed=seed, workers=workers)
        self._labels = torch.from_numpy(labels)
        self._batch_size = batch_size
        self._seed = seed
        self._num_processes = group.size
        self._images = ALONE if whole_batches else group

    def __len__(self) -> int:
        return len(self._views)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        batches = order(
            len(self), self._batch_size, seed=self._seed, epoch=epoch, processes=self._num_processes
        )[first:]
        shares = [self._images.share(batch) for batch in batches]
        for images, batch in zip(self._views.epoch(epoch, shares), batches, strict=True):
            yield images, self._labels[torch.from_numpy(batch)]
