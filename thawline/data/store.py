"""Packed images: every image decoded and resized once, then read by memory map.

Files `images-00000.npy`, ... of uint8 (rows, S, S, 3), RGB. They open in any notebook with
`numpy.load(file, mmap_mode="r")`; reading one costs no decoding.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np

SHARD_BYTES = 64 * 2**20
"""Upper bound of what the writer holds; also few enough files for DVC at a million images."""


def rows_per_shard(image_size_px: int) -> int:
    return max(1, SHARD_BYTES // (image_size_px * image_size_px * 3))


class StoreWriter:
    """Appends images; holds at most one shard in memory."""

    def __init__(self, directory: Path, image_size_px: int) -> None:
        self._directory = directory
        self._size = image_size_px
        self._shard: list[np.ndarray] = []
        self._written = 0
        directory.mkdir(parents=True, exist_ok=True)

    def append(self, image: np.ndarray) -> None:
        """Add one image, uint8 (S, S, 3)."""
        assert image.shape == (self._size, self._size, 3), image.shape
        assert image.dtype == np.uint8, image.dtype
        self._shard.append(image)
        if len(self._shard) == rows_per_shard(self._size):
            self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is None and self._shard:
            self._flush()

    def _flush(self) -> None:
        np.save(self._directory / f"images-{self._written:05d}.npy", np.stack(self._shard))
        self._written += 1
        self._shard.clear()


class ImageStore:
    """Reads what StoreWriter wrote, by row, without loading the rest."""

    def __init__(self, directory: Path, *more: Path) -> None:
        """Args:
        more: further folders, which may be empty; their rows follow those of the first.
        """
        files = sorted(directory.glob("images-*.npy"))
        if not files:
            raise FileNotFoundError(f"{directory} holds no packed images; run `dvc repro ingest`")
        files += [file for folder in more for file in sorted(folder.glob("images-*.npy"))]
        self._shards = [np.load(file, mmap_mode="r") for file in files]
        self._starts = np.cumsum([0] + [len(shard) for shard in self._shards])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def image_size_px(self) -> int:
        return int(self._shards[0].shape[1])

    def __getitem__(self, row: int) -> np.ndarray:
        """One image, uint8 (S, S, 3), a copy that may be written to."""
        shard = int(np.searchsorted(self._starts, row, side="right")) - 1
        return np.array(self._shards[shard][row - self._starts[shard]])

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Images of the given rows in that order, uint8 (B, S, S, 3)."""
        rows = np.asarray(rows, dtype=np.int64)
        out = np.empty((len(rows), *self._shards[0].shape[1:]), dtype=np.uint8)
        shard_of = np.searchsorted(self._starts, rows, side="right") - 1
        for shard in np.unique(shard_of):
            at = shard_of == shard
            out[at] = self._shards[shard][rows[at] - self._starts[shard]]
        return out

    def batches(self, rows: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
        """The given rows in order, uint8 (<= batch_size, S, S, 3) at a time."""
        for start in range(0, len(rows), batch_size):
            yield self.take(rows[start : start + batch_size])
