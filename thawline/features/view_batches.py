"""Augment images in batches, in this process or in workers."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from thawline.augment._transforms import Step, Views, repeats
from thawline.dataset.image_store import ImageStore


class ViewBatches:
    """Views of rows of a store; any number of workers gives the same ones.

    Workers live as long as this object: to start eight anew for each epoch takes longer than a GPU
    takes for an epoch of a small set.
    """

    def __init__(
        self,
        store: ImageStore,
        indices: np.ndarray,
        policy: Sequence[Step],
        *,
        seed: int,
        workers: int,
    ) -> None:
        """Start the workers.

        Args:
            store: packed images.
            indices: rows of the store, int64 (M,).
            policy: augmentation steps.
            seed: seed of the augmentation.
            workers: processes that augment; 0: this one.
        """
        self._dataset = _ViewDataset(store, indices, policy, seed)
        self._plan = _Plan()
        self._loader = DataLoader(
            self._dataset,
            batch_sampler=self._plan,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=_collate,
            # It draws a number at each pass: not from the generator that dropout draws from.
            generator=torch.Generator(),
            pin_memory=torch.cuda.is_available(),
        )

    def __len__(self) -> int:
        return len(self._dataset)

    def epoch(self, epoch: int, batches: Sequence[np.ndarray]) -> Iterator[torch.Tensor]:
        """Yield the images of each batch of positions in `indices`, uint8 (B, S, S, 3)."""
        self._plan.set(epoch, batches)
        return iter(self._loader)


class _Plan:
    """Batches that the loader asks for at the start of each pass."""

    def __init__(self) -> None:
        self._keys: list[list[tuple[int, int]]] = []

    def set(self, epoch: int, batches: Sequence[np.ndarray]) -> None:
        # The epoch travels with the position: a worker keeps no state that could go stale.
        self._keys = [[(epoch, int(position)) for position in batch] for batch in batches]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


class _ViewDataset(Dataset[np.ndarray]):
    def __init__(
        self, store: ImageStore, indices: np.ndarray, policy: Sequence[Step], seed: int
    ) -> None:
        self._store = store
        self._indices = indices
        self._repeats = repeats(indices)
        self._views = Views(policy, seed)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, key: tuple[int, int]) -> np.ndarray:
        epoch, position = key
        row = int(self._indices[position])
        return self._views(
            self._store[row], epoch=epoch, row=row, repeat=int(self._repeats[position])
        )


def _collate(images: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images))
