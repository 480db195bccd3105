"""Find the most confused pairs of classes, with examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from thawline.metrics.classification import Floats, Ints
from thawline.plots.style import GREY, figure, label, styled

MAX_PAIRS = 5
_EXAMPLES = 6


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Rows of one class that were predicted as another one."""

    actual: int
    predicted: int
    count: int
    support: int
    """Number of rows of the true class."""
    examples: Ints
    """Positions of some, the surest first, int64."""


def most_confused(probabilities: Floats, labels: Ints, limit: int = MAX_PAIRS) -> list[Confusion]:
    """Find the pairs with the most mistakes; ties are broken by the lower class ids.

    Args:
        probabilities: float32 (N, K).
        labels: int64 (N,).
        limit: largest number of pairs.
    """
    predicted = probabilities.argmax(axis=1)
    support = np.bincount(labels, minlength=probabilities.shape[1])
    wrong = np.flatnonzero(predicted != labels)
    pairs, counts = np.unique(
        np.stack([labels[wrong], predicted[wrong]], axis=1), axis=0, return_counts=True
    )
    found = []
    for at in np.argsort(-counts, kind="stable")[:limit]:
        actual, guess = map(int, pairs[at])
        rows = wrong[(labels[wrong] == actual) & (predicted[wrong] == guess)]
        surest = np.argsort(-probabilities[rows, guess], kind="stable")[:_EXAMPLES]
        found.append(
            Confusion(
                actual=actual, predicted=guess, count=int(counts[at]),
                support=int(support[actual]), examples=rows[surest],
            )
        )  # fmt: skip
    return found


@styled
def draw(
    pairs: Sequence[Confusion], examples: Sequence[NDArray[np.uint8]], classes: Sequence[str]
) -> Figure:
    """Draw one row of examples per pair.

    Args:
        pairs: the pairs.
        examples: uint8 (E, S, S, 3) for each pair.
        classes: names of the classes.
    """
    height = 0.6 + 1.25 * max(1, len(pairs))
    drawn = figure(9.5, height, "Most confused pairs", layout=None)
    if not pairs:
        drawn.text(0.5, 0.45, "No mistake to show.", ha="center", color=GREY, fontsize=12)
        return drawn
    drawn.subplots_adjust(left=0.24, right=0.99, top=1 - 0.5 / height, bottom=0.02, hspace=0.12)
    axes = drawn.subplots(len(pairs), _EXAMPLES, squeeze=False)
    for row, pair, images in zip(axes, pairs, examples, strict=True):
        for axis in row:
            axis.set_axis_off()
        for axis, image in zip(row, images, strict=False):
            axis.imshow(image, interpolation="nearest" if len(image) < 160 else "antialiased")
        said = f"{label(classes[pair.actual], 20)}\ntaken for\n{label(classes[pair.predicted], 20)}"
        text = f"{said}\n{pair.count:,} of {pair.support:,}"
        row[0].text(-0.12, 0.5, text, transform=row[0].transAxes, ha="right", va="center")
    return drawn
