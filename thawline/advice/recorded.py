"""Figures that cost nothing: of the packed images, and what the training stages have written."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from thawline.data.manifest import Manifest
from thawline.data.store import ImageStore
from thawline.sections.whole import Params

STAGES = ("transfer_learn", "fine_tune")
_COLOUR_SAMPLE = 200
_COLOUR_DIFFERENCE = 4
"""Of 255, between the channels of a pixel: what JPEG leaves in a grey photograph is less."""
_LATE = 0.75
"""Share of the epochs after which a gain is a late one."""


def side_px(manifest: Manifest) -> int:
    """Median of the shorter sides of the training images as they came."""
    train = manifest.rows("train")
    return int(np.median(np.minimum(manifest.widths[train], manifest.heights[train])))


def colour(store: ImageStore, rows: np.ndarray) -> bool:
    """Whether any of a sample of the rows is not grey."""
    at = rows[np.linspace(0, len(rows) - 1, min(len(rows), _COLOUR_SAMPLE)).astype(np.int64)]
    images = store.take(np.unique(at)).astype(np.int16)
    return bool((np.ptp(images, axis=3).mean(axis=(1, 2)) > _COLOUR_DIFFERENCE).any())


def val_accuracy(training: Mapping[str, Path]) -> float | None:
    """Of the epoch that fine_tune kept; None where it has not run.

    Args:
        training: the reports of each training stage, by its name.
    """
    epochs = _epochs(training["fine_tune"])
    return max(epochs, key=lambda e: e["val_macro_f1"])["val_accuracy"] if epochs else None


def late_gain(params: Params, training: Mapping[str, Path]) -> dict[str, float]:
    """Validation macro-F1 that the last quarter of the epochs brought, by stage.

    Only of stages that trained as many epochs as params say: with fewer their patience ended.
    """
    found = {}
    for stage, folder in training.items():
        scores = [epoch["val_macro_f1"] for epoch in _epochs(folder)]
        if len(scores) > 1 and len(scores) == getattr(params, stage).epochs:
            before = max(1, int(_LATE * len(scores)))
            found[stage] = max(scores) - max(scores[:before])
    return found


def gained(training: Mapping[str, Path]) -> float | None:
    """Validation macro-F1 of fine_tune's best epoch over that of transfer_learn's."""
    head, tuned = (_epochs(training[stage]) for stage in STAGES)
    if not head or not tuned:
        return None
    return max(e["val_macro_f1"] for e in tuned) - max(e["val_macro_f1"] for e in head)


def _epochs(folder: Path) -> list[dict[str, float]]:
    """Rows of the curves; none where the stage has not run."""
    try:
        with (folder / "curves.csv").open(encoding="utf-8", newline="") as file:
            return [{key: float(x) for key, x in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError):
        return []
