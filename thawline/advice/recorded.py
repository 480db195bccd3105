"""Read figures that cost nothing, from the packed images and the training stages' reports."""

from pathlib import Path

import numpy as np

from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.training import curves
from thawline.training.curves import Curves

_COLOUR_SAMPLE = 200
_COLOUR_DIFFERENCE = 4
"""Levels of 255 between the channels of a pixel: JPEG leaves less in a grey photograph."""


def side_px(manifest: Manifest) -> int:
    """Compute the median of the shorter sides of the training images as they came, px."""
    train = manifest.rows("train")
    return int(np.median(np.minimum(manifest.widths[train], manifest.heights[train])))


def colour(store: ImageStore, rows: np.ndarray) -> bool:
    """Return True where any of a sample of the rows is not grey."""
    at = rows[np.linspace(0, len(rows) - 1, min(len(rows), _COLOUR_SAMPLE)).astype(np.int64)]
    images = store.take(np.unique(at)).astype(np.int16)
    return bool((np.ptp(images, axis=3).mean(axis=(1, 2)) > _COLOUR_DIFFERENCE).any())


def val_accuracy(fine_tune: Path) -> float | None:
    """Read the accuracy of the weights that fine_tune kept; None where it has not run.

    Args:
        fine_tune: the reports of that stage.
    """
    found = _curves(fine_tune)
    return None if found is None else found.kept["val_accuracy"]


def gained(fine_tune: Path) -> float | None:
    """Compute how much validation macro-F1 fine_tune's best epoch gained over its start.

    None where it has not run, or did not score its start.
    """
    found = _curves(fine_tune)
    if found is None or not found.start or not found.num_epochs:
        return None
    return found.reached - found.start["val_macro_f1"]


def _curves(folder: Path) -> Curves | None:
    try:
        return curves.read(folder)
    except UserError:
        return None
