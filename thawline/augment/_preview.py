"""Draw what the network will see: an image of each class and its augmented views.

Images added to rare classes and mixed batches are drawn too, where they are switched on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from thawline.augment._minority import Extras
from thawline.augment._transforms import Step, Views
from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest

NUM_VIEWS = 8
_MAX_CLASSES = 16
_GAP_PX = 4
_SIDE_PX = 96
_TITLE_PX = 24
_WIDTH_PX = (1 + NUM_VIEWS) * _SIDE_PX + (2 + NUM_VIEWS) * _GAP_PX


Line = tuple[np.ndarray, Sequence[np.ndarray]]
"""Line of the picture: an original, uint8 (S, S, 3), and its views."""


@dataclass(frozen=True)
class Part:
    """Further lines of the picture, below a title."""

    title: str
    lines: Sequence[Line]


def preview(
    path: Path,
    manifest: Manifest,
    store: ImageStore,
    policy: Sequence[Step],
    *,
    seed: int,
    parts: Sequence[Part] = (),
) -> float:
    """Write a grid: per class a training image, a gap and eight views of it; then the parts.

    Returns:
        Mean absolute difference between views and originals, in [0, 1].
    """
    views = Views(policy, seed)
    lines: list[Line] = []
    for row in first_rows(manifest)[:_MAX_CLASSES]:
        original = store[row]
        seen = [views(original, epoch=e, row=row, repeat=0) for e in range(NUM_VIEWS)]
        lines.append((original, seen))
    drawn = [_line(*line) for line in lines]
    for part in parts:
        drawn += [_title(part.title), *(_line(*line) for line in part.lines[:_MAX_CLASSES])]
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = np.concatenate(drawn)[:-_GAP_PX]
    cv2.imwrite(str(path), cv2.cvtColor(grid, cv2.COLOR_RGB2BGR))
    return float(np.mean([_difference(*line) for line in lines]))


def first_rows(manifest: Manifest) -> list[int]:
    """List the first training row of each class that has one."""
    train = manifest.rows("train")
    labels = manifest.labels[train]
    classes = range(len(manifest.classes))
    return [int(train[labels == k][0]) for k in classes if (labels == k).any()]


def rare_classes(extras: Extras, labels: np.ndarray, store: ImageStore, added: ImageStore) -> Part:
    """Draw a line per class with extra images: the source of the first, and the first eight.

    `labels` are the class ids of the manifest's rows; `store` has the manifest's images, `added`
    the extra ones in the order of `extras`.
    """
    lines = []
    for k in np.unique(labels[extras.rows]):
        chosen = np.flatnonzero(labels[extras.rows] == k)[:NUM_VIEWS]
        lines.append((store[int(extras.rows[chosen[0]])], [added[int(i)] for i in chosen]))
    return Part("augment.minority: images added to rare classes, first source on the left", lines)


def _difference(original: np.ndarray, views: Sequence[np.ndarray]) -> float:
    return float(np.mean([np.abs(v.astype(np.int16) - original).mean() / 255 for v in views]))


def _line(original: np.ndarray, views: Sequence[np.ndarray]) -> np.ndarray:
    blank = [np.full((_SIDE_PX, _SIDE_PX, 3), 255, dtype=np.uint8)] * (NUM_VIEWS - len(views))
    tiles = [_tile(image) for image in (original, *views)] + blank
    gap = np.full((_SIDE_PX, _GAP_PX, 3), 255, dtype=np.uint8)
    parts = [tiles[0], gap, gap, gap]
    for tile in tiles[1:]:
        parts += [tile, gap]
    line = np.concatenate(parts[:-1], axis=1)
    below = np.full((_GAP_PX, line.shape[1], 3), 255, dtype=np.uint8)
    return np.concatenate([line, below])


def _title(text: str) -> np.ndarray:
    band = np.full((_TITLE_PX, _WIDTH_PX, 3), 255, dtype=np.uint8)
    font, grey = cv2.FONT_HERSHEY_SIMPLEX, (60, 60, 60)
    cv2.putText(band, text, (_GAP_PX, _TITLE_PX - 8), font, 0.45, grey, 1, cv2.LINE_AA)
    return band


def _tile(image: np.ndarray) -> np.ndarray:
    method = cv2.INTER_AREA if image.shape[0] > _SIDE_PX else cv2.INTER_NEAREST
    tile: np.ndarray = cv2.resize(image, (_SIDE_PX, _SIDE_PX), interpolation=method)
    return tile
