"""Store the properties of all packed images in columns, since objects would be too many.

Until 300,000 images are divided, the process grows by 0.6 kB for each; with a `Packed` and a
`Looks` for each it was 1.0 kB.
"""

import sys
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from thawline.ingest.decoding.image_stats import Looks
from thawline.ingest.decoding.preprocess import OPAQUE, TRANSPARENCIES
from thawline.ingest.packing.packing import Packed

_NO_PIXELS = np.empty((0,), dtype=np.uint8)
_SPLITS = (None, "train", "val", "test")


class PackedRows:
    """Packed images without their pixels, in the order of the store.

    Attributes:
        names: see `Packed`.
        sha256: see `Packed`.
        groups: see `Packed`.
        notes: see `Packed`.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sha256: list[str] = []
        self.groups: list[str | None] = []
        self.notes: list[str | None] = []
        self._labels, self._source_labels = array("q"), array("q")
        self._widths, self._heights = array("q"), array("q")
        self._splits, self._hashed, self._hashes = array("b"), array("b"), array("Q")
        self._looks, self._one_colour = array("d"), array("b")
        self._transparencies, self._bits = array("b"), array("q")

    @property
    def labels(self) -> np.ndarray:
        """Labels, corrected where asked for, int64 (N,); a copy, as all arrays here."""
        return np.array(self._labels, dtype=np.int64)

    @property
    def source_labels(self) -> np.ndarray:
        return np.array(self._source_labels, dtype=np.int64)

    @property
    def widths(self) -> np.ndarray:
        """Widths, px, int64 (N,)."""
        return np.array(self._widths, dtype=np.int64)

    @property
    def heights(self) -> np.ndarray:
        return np.array(self._heights, dtype=np.int64)

    @property
    def splits(self) -> list[str | None]:
        """Predefined splits."""
        return [_SPLITS[code] for code in self._splits]

    @property
    def hashes(self) -> list[int | None]:
        """Perceptual hashes, 64 bits each."""
        pairs = zip(self._hashed, self._hashes, strict=True)
        return [value if known else None for known, value in pairs]

    @property
    def transparencies(self) -> list[str]:
        return [TRANSPARENCIES[code] for code in self._transparencies]

    @property
    def num_transparent(self) -> int:
        """Number of images of which not every pixel is opaque."""
        return len(self) - self._transparencies.count(TRANSPARENCIES.index(OPAQUE))

    @property
    def bits(self) -> np.ndarray:
        """Bits that each image's largest value needs, as in `PreparedImage`, int64 (N,)."""
        return np.array(self._bits, dtype=np.int64)

    @property
    def looks(self) -> "LooksColumn":
        return LooksColumn(self)

    def give_groups(self, groups: Iterable[str | None]) -> None:
        """Assign groups to the rows that have none."""
        pairs = zip(self.groups, groups, strict=True)
        self.groups = [new if old is None else old for old, new in pairs]

    def give_splits(self, splits: Iterable[str | None]) -> None:
        """Replace the predefined splits."""
        self._splits = array("b", [_SPLITS.index(split) for split in splits])
        assert len(self._splits) == len(self)

    def append(self, image: Packed) -> None:
        for column, value in self._values(image):
            column.append(value)
        self._looks.extend(_numbers(image.looks))

    def looks_at(self, row: int) -> Looks:
        brightness, contrast, sharpness = self._looks[3 * row : 3 * row + 3]
        return Looks(
            dhash=self._hashes[row] if self._hashed[row] else None,
            brightness=brightness,
            contrast=contrast,
            sharpness=sharpness,
            one_colour=bool(self._one_colour[row]),
        )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, row: int) -> Packed:
        at = range(len(self))[row]  # IndexError beyond the end
        return Packed(
            pixels=_NO_PIXELS,
            sha256=self.sha256[at],
            width=self._widths[at],
            height=self._heights[at],
            looks=self.looks_at(at),
            transparency=TRANSPARENCIES[self._transparencies[at]],
            note=self.notes[at],
            bits=self._bits[at],
            item_name=self.names[at],
            label=self._labels[at],
            group=self.groups[at],
            split=_SPLITS[self._splits[at]],
            source_label=self._source_labels[at],
        )

    def __iter__(self) -> Iterator[Packed]:
        return map(self.__getitem__, range(len(self)))

    def __setitem__(self, row: int, image: Packed) -> None:
        for column, value in self._values(image):
            column[row] = value
        self._looks[3 * row : 3 * row + 3] = array("d", _numbers(image.looks))

    def _values(self, image: Packed) -> tuple[tuple[Any, Any], ...]:
        """Return each column but the looks, with the image's value for it."""
        dhash = image.looks.dhash
        return (
            (self.names, image.item_name),
            (self.sha256, image.sha256),
            (self.groups, image.group),
            (self.notes, image.note and sys.intern(image.note)),
            (self._labels, image.label),
            (self._source_labels, image.source_label),
            (self._widths, image.width),
            (self._heights, image.height),
            (self._splits, _SPLITS.index(image.split)),
            (self._hashed, dhash is not None),
            (self._hashes, dhash or 0),
            (self._one_colour, image.looks.one_colour),
            (self._transparencies, TRANSPARENCIES.index(image.transparency)),
            (self._bits, image.bits),
        )


class LooksColumn:
    """Column of `Looks`, built one by one on request."""

    def __init__(self, rows: PackedRows) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Looks]:
        return map(self._rows.looks_at, range(len(self)))


def _numbers(looks: Looks) -> tuple[float, float, float]:
    return looks.brightness, looks.contrast, looks.sharpness
