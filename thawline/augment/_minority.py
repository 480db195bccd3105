"""Add augmented images of rare classes, made once and packed beside the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thawline.augment._transforms import Step, Views
from thawline.dataset import stored_table
from thawline.dataset.encoding import encode
from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.runtime.output_paths import intact

FILE = "sources.parquet"
_EPOCH = -1
"""Epoch of extra images, none of training's: they equal no view that training makes."""


@dataclass(frozen=True, kw_only=True)
class Extras:
    """Sources of the extra images.

    Attributes:
        rows: row of the manifest that each is a view of, int64 (E,); its label is that row's.
        repeats: number of the view of that row, int64 (E,).
    """

    rows: np.ndarray
    repeats: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def write(
        self, directory: Path, store: ImageStore, policy: Sequence[Step], *, seed: int
    ) -> None:
        """Write the images as thawline/dataset/image_store.py does, and a table of their sources.

        Equal arguments give equal bytes.
        """
        views = Views(policy, seed)
        with StoreWriter(directory, store.image_size_px) as writer:
            for row, repeat in zip(self.rows.tolist(), self.repeats.tolist(), strict=True):
                view = views(store[row], epoch=_EPOCH, row=row, repeat=repeat)
                writer.append(encode(view, store.encoding))
        columns = {"row": pa.array(self.rows, pa.int64()), "view": pa.array(self.repeats)}
        pq.write_table(pa.table(columns), directory / FILE, compression="zstd")

    @classmethod
    def read(cls, directory: Path) -> "Extras":
        """Read the table of sources.

        Raises:
            UserError: the file is missing, damaged, or another table.
        """
        with intact(directory / FILE):
            table = stored_table.read(directory / FILE)
            return cls(
                rows=stored_table.integers(table, "row"),
                repeats=stored_table.integers(table, "view"),
            )


def plan(indices: np.ndarray, labels: np.ndarray, *, target_ratio: float) -> Extras:
    """Plan extra images for each class below target_ratio of the largest.

    The rows of an epoch count, repeats included: a class that rebalancing has filled up gets none.
    The rows of a class take turns, so that no image has two more extras than another.

    Args:
        indices: training rows after rebalancing, with repeats, int64 (M,).
        labels: class of every row of the manifest, int64 (N,).
        target_ratio: class size / largest class size, in [0, 1]; 0 adds nothing.
    """
    counts = np.bincount(labels[indices])
    goal = np.ceil(target_ratio * counts.max() - 1e-9).astype(np.int64)
    rows, repeats = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for k in np.flatnonzero((counts > 0) & (counts < goal)):
        sources = np.unique(indices[labels[indices] == k])
        turn = np.arange(goal - counts[k])
        rows.append(sources[turn % len(sources)])
        repeats.append(turn // len(sources))
    return Extras(rows=np.concatenate(rows), repeats=np.concatenate(repeats))
