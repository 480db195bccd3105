"""A picture of what the network will see: an image of each class and its augmented views."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from thawline.data.manifest import Manifest
from thawline.data.store import ImageStore
from thawline.data.views import Step, Views

_NUM_VIEWS = 8
_MAX_CLASSES = 16
_GAP_PX = 4
_SIDE_PX = 96


def preview(
    path: Path, manifest: Manifest, store: ImageStore, policy: Sequence[Step], *, seed: int
) -> float:
    """Write a grid: per class one training image, a wider gap, and eight views of it.

    Returns:
        Mean absolute difference between views and originals, in [0, 1].
    """
    train = manifest.rows("train")
    labels = manifest.labels[train]
    rows = [int(train[labels == k][0]) for k in range(len(manifest.classes)) if (labels == k).any()]
    views = Views(policy, seed)
    lines, differences = [], []
    for row in rows[:_MAX_CLASSES]:
        original = store[row]
        seen = [views(original, epoch=e, row=row, repeat=0) for e in range(_NUM_VIEWS)]
        differences += [np.abs(v.astype(np.int16) - original).mean() / 255 for v in seen]
        lines.append(_line(original, seen))
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = np.concatenate(lines)[:-_GAP_PX]
    cv2.imwrite(str(path), cv2.cvtColor(grid, cv2.COLOR_RGB2BGR))
    return float(np.mean(differences))


def _line(original: np.ndarray, views: Sequence[np.ndarray]) -> np.ndarray:
    tiles = [_tile(image) for image in (original, *views)]
    gap = np.full((_SIDE_PX, _GAP_PX, 3), 255, dtype=np.uint8)
    parts = [tiles[0], gap, gap, gap]
    for tile in tiles[1:]:
        parts += [tile, gap]
    line = np.concatenate(parts[:-1], axis=1)
    below = np.full((_GAP_PX, line.shape[1], 3), 255, dtype=np.uint8)
    return np.concatenate([line, below])


def _tile(image: np.ndarray) -> np.ndarray:
    method = cv2.INTER_AREA if image.shape[0] > _SIDE_PX else cv2.INTER_NEAREST
    tile: np.ndarray = cv2.resize(image, (_SIDE_PX, _SIDE_PX), interpolation=method)
    return tile
