"""Draw thumbnails in a grid, without text: names stand beside the picture in the report."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from thawline.dataset.image_store import ImageStore

SIDE_PX = 72
_GAP_PX = 4


def grid(path: Path, store: ImageStore, rows: Sequence[int], columns: int) -> None:
    """Write the images of the given rows as a PNG, left to right, at least one.

    Equal images give equal bytes.
    """
    tiles = [_tile(store[row]) for row in rows]
    lines = [_line(tiles[k : k + columns], columns) for k in range(0, len(tiles), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(lines)[:-_GAP_PX, :-_GAP_PX]).save(path, "PNG", compress_level=6)


def _line(tiles: Sequence[np.ndarray], columns: int) -> np.ndarray:
    step = SIDE_PX + _GAP_PX
    line = np.full((step, columns * step, 3), 255, dtype=np.uint8)
    for k, tile in enumerate(tiles):
        line[:SIDE_PX, k * step : k * step + SIDE_PX] = tile
    return line


def _tile(image: np.ndarray) -> np.ndarray:
    if image.shape[0] == SIDE_PX:
        return image
    # Small pictures keep their pixels; large ones are averaged.
    small = image.shape[0] < SIDE_PX
    method = Image.Resampling.NEAREST if small else Image.Resampling.BOX
    return np.asarray(Image.fromarray(image).resize((SIDE_PX, SIDE_PX), method))
