"""Draw the mistakes worth looking at: wrong answers with the highest confidence."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from thawline.metrics.classification import Floats, Ints
from thawline.plots.style import GREEN, GREY, INK, ORANGE, figure, label, styled

_COLUMNS = 6


def confident_mistakes(probabilities: Floats, labels: Ints, limit: int = 18) -> Ints:
    """Find wrong predictions, the most confident first.

    Args:
        probabilities: float32 (N, K).
        labels: int64 (N,).
        limit: largest number of them.

    Returns:
        Positions, int64 (at most `limit`,).
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    surest = np.argsort(-probabilities[wrong].max(axis=1), kind="stable")
    return wrong[surest[:limit]]


def unsure_hits(probabilities: Floats, labels: Ints, limit: int = 18) -> Ints:
    """Find right predictions, the least confident first.

    Args:
        probabilities: float32 (N, K).
        labels: int64 (N,).
        limit: largest number of them.

    Returns:
        Positions, int64 (at most `limit`,).
    """
    right = np.flatnonzero(probabilities.argmax(axis=1) == labels)
    least = np.argsort(probabilities[right].max(axis=1), kind="stable")
    return right[least[:limit]]


@styled
def with_overlays(
    rows: Sequence[tuple[str, Sequence[NDArray[np.uint8]], Sequence[NDArray[np.uint8]], list[str]]],
) -> Figure:
    """Draw rows of images, each above the same image with its explanation.

    Args:
        rows: title, images and overlays, uint8 (S, S, 3) each, and captions, as many.
    """
    height = 0.6 + 4.3 * len(rows)
    drawn = figure(1.75 * _COLUMNS, height, "Where the network looked", layout=None)
    drawn.subplots_adjust(
        left=0.01, right=0.99, top=1 - 0.85 / height, bottom=0.02, hspace=0.3, wspace=0.08
    )
    axes = drawn.subplots(2 * len(rows), _COLUMNS, squeeze=False)
    for axis in axes.ravel():
        axis.set_axis_off()
    for number, (title, images, overlays, captions) in enumerate(rows):
        above, below = axes[2 * number], axes[2 * number + 1]
        above[0].set_title(title if images else f"{title}: none")
        for column, (image, heat, caption) in enumerate(
            zip(images, overlays, captions, strict=True)
        ):
            above[column].imshow(image, interpolation="nearest")
            below[column].imshow(heat, interpolation="nearest")
            place = {"transform": above[column].transAxes, "va": "top", "fontsize": 8.5}
            above[column].text(0, -0.02, caption, color=INK, **place)
    return drawn


@styled
def mistakes(
    images: NDArray[np.uint8],
    *,
    actual: Sequence[str],
    predicted: Sequence[str],
    confidence: Floats,
    num_mistakes: int,
    num_images: int,
) -> Figure:
    """Draw pictures with the true and the predicted class, or a note that there is no mistake.

    Args:
        images: uint8 (M, S, S, 3), RGB.
        actual: names of the true classes, M.
        predicted: names of the predicted classes, M.
        confidence: probability of the predicted class, (M,).
        num_mistakes: number of mistakes in the whole test split.
        num_images: number of images in the whole test split.
    """
    title = f"Most confident mistakes ({num_mistakes:,} of {num_images:,} test images are wrong)"
    rows = max(1, -(-len(images) // _COLUMNS))
    height = 0.5 + 2.3 * rows
    # A fixed grid: with an automatic layout long names push the pictures apart.
    drawn = figure(1.75 * _COLUMNS, height, title, layout=None)
    drawn.subplots_adjust(
        left=0.01, right=0.99, top=1 - 0.45 / height, bottom=0.55 / height, hspace=0.42
    )
    axes = drawn.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, *shown in zip(axes, images, actual, predicted, confidence, strict=False):
        _mistake(axis, *shown)
    if not len(images):
        drawn.text(0.5, 0.45, "No mistake to show.", ha="center", color=GREY, fontsize=12)
    return drawn


def _mistake(
    axis: Axes, image: NDArray[np.uint8], actual: str, predicted: str, confidence: float
) -> None:
    axis.imshow(image, interpolation="nearest" if len(image) < 160 else "antialiased")
    below: dict[str, Any] = {"transform": axis.transAxes, "ha": "left", "va": "top", "fontsize": 9}
    axis.text(0, -0.03, f"is {label(actual, 17)}", color=GREEN, **below)
    axis.text(0, -0.14, f"said {label(predicted, 15)}", color=ORANGE, **below)
    axis.text(0, -0.25, f"{confidence:.1%} sure", color=GREY, **below)
