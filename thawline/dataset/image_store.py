"""Write and read packed images: decoded and resized once, then read by memory map.

As pixels, reading one costs no decoding; as JPEG, a set takes a fifth of the room. The format of
the files is in thawline/dataset/shards.py; a reader does not see the difference.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np

from thawline.dataset import shards

SHARD_BYTES = 64 * 2**20
"""Bytes that the writer holds at most; also few enough files for DVC at a million images."""


class StoreWriter:
    """Writer that appends images and holds at most one shard in memory."""

    def __init__(self, directory: Path, image_size_px: int) -> None:
        self._directory = directory
        self._shape = (image_size_px, image_size_px, 3)
        self._shard: list[np.ndarray] = []
        self._bytes = 0
        self._written = 0
        directory.mkdir(parents=True, exist_ok=True)

    def append(self, image: np.ndarray) -> None:
        """Add one image as `encoding.encode` made it, every one with the same encoding."""
        assert image.ndim == 1 or image.shape == self._shape, image.shape
        assert image.dtype == np.uint8, image.dtype
        if self._shard and self._bytes + image.nbytes > SHARD_BYTES:
            self._flush()
        self._shard.append(image)
        self._bytes += image.nbytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is None and self._shard:
            self._flush()

    def _flush(self) -> None:
        shards.write(self._directory, self._written, self._shard)
        self._written += 1
        self._shard.clear()
        self._bytes = 0


class ImageStore:
    """Reader of what StoreWriter wrote, by row, without loading the rest."""

    def __init__(self, directory: Path, *more: Path) -> None:
        """Open a folder, and further ones that may be empty; their rows follow those of the first.

        Raises:
            UserError: a file is missing or damaged; here, or when an image of it is read.
        """
        self._shards = shards.read(directory)
        if not self._shards:
            raise FileNotFoundError(f"{directory} holds no packed images; run `dvc repro ingest`")
        self._shards += [shard for folder in more for shard in shards.read(folder)]
        self._starts = np.cumsum([0] + [len(shard) for shard in self._shards])
        self._shape = self._shards[0].image(0).shape

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def image_size_px(self) -> int:
        """Side of the images, in px."""
        return int(self._shape[0])

    @property
    def encoding(self) -> str:
        """Encoding of the files: raw or jpeg."""
        return self._shards[0].encoding

    def __getitem__(self, row: int) -> np.ndarray:
        """Return one image, uint8 (S, S, 3), a copy that may be written to."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        shard = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._shards[shard].image(row - int(self._starts[shard])).copy()

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return the images of rows in that order, uint8 (B, S, S, 3)."""
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)}")
        out = np.empty((len(rows), *self._shape), dtype=np.uint8)
        shard_of = np.searchsorted(self._starts, rows, side="right") - 1
        for shard in np.unique(shard_of):
            at = np.flatnonzero(shard_of == shard)
            self._shards[shard].copy(rows[at] - self._starts[shard], out, at)
        return out

    def batches(self, rows: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
        """Yield the images of rows in order, uint8 (<= batch_size, S, S, 3) at a time."""
        for start in range(0, len(rows), batch_size):
            yield self.take(rows[start : start + batch_size])
