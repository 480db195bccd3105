"""Find images that are far from the others in brightness, contrast or sharpness."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from thawline.ingest.decoding.image_stats import Looks

LIMIT = 3.5
"""Limit of the modified z-score, after B. Iglewicz and D. Hoaglin, "How to detect and handle
outliers", 1993: unlike the standard deviation, the median deviation is not stretched by what it
looks for."""

MAX_SHAPE = 10
"""Longer over shorter side: beyond, little is left of the shorter one in a square."""


@dataclass(frozen=True, kw_only=True)
class Outliers:
    """Outliers of one kind.

    Attributes:
        title: heading that says what is odd about them.
        rows: all of them, the oddest first.
        values: values of the measure, per row of the set, float64 (N,).
    """

    title: str
    rows: np.ndarray
    values: np.ndarray


def find(looks: Iterable[Looks], widths: np.ndarray, heights: np.ndarray) -> list[Outliers]:
    """Find dark, bright, flat, blurred and very long images.

    In a measure in which half of the images are equal, no image is an outlier.

    Args:
        looks: statistics of each image.
        widths: px, int64 (N,).
        heights: px, int64 (N,).
    """
    numbers = ((look.brightness, look.contrast, look.sharpness) for look in looks)
    brightness, contrast, sharpness = np.fromiter(numbers, np.dtype((float, 3))).reshape(-1, 3).T
    # Sharpness spans orders of magnitude: on its own scale every sharp picture is an outlier.
    blur = -_scores(np.log1p(sharpness))
    measured = (
        ("Dark", -_scores(brightness), brightness),
        ("Bright", _scores(brightness), brightness),
        ("Flat: little contrast", -_scores(contrast), contrast),
        ("Blurred: little detail", blur, sharpness),
    )
    found = [
        Outliers(title=title, rows=_beyond(scores, LIMIT), values=values)
        for title, scores, values in measured
    ]
    shape = np.maximum(widths, heights) / np.minimum(widths, heights)
    title = f"Long: narrower than 1 to {MAX_SHAPE}"
    return [*found, Outliers(title=title, rows=_beyond(shape, MAX_SHAPE), values=shape)]


def _scores(values: np.ndarray) -> np.ndarray:
    """Compute modified z-scores, float64 (N,)."""
    if not len(values):
        return np.zeros(0)
    away = values - np.median(values)
    spread = float(np.median(np.abs(away)))
    return 0.6745 * away / spread if spread > 0 else np.zeros(len(values))


def _beyond(scores: np.ndarray, limit: float) -> np.ndarray:
    rows = np.flatnonzero(scores > limit)
    return rows[np.argsort(-scores[rows], kind="stable")]
