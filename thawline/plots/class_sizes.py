"""Plot how many images each class has."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from thawline.plots.style import BLUE, GREEN, LIGHT_BLUE, MAX_NAMED, class_ticks, figure, styled

Ints = NDArray[np.int64]


@styled
def rebalancing(classes: Sequence[str], *, before: Ints, after: Ints) -> Figure:
    """Plot training rows per class, int64 (K,) each, before and after rebalancing."""
    drawn = figure(7.2, bars_height(len(classes)), "Training rows per class")
    axis = drawn.subplots()
    _paired_bars(axis, (before, "before", LIGHT_BLUE), (after, "after", BLUE))
    axis.set_xlabel("rows")
    _name_classes(axis, classes)
    return drawn


@styled
def class_distribution(
    classes: Sequence[str], *, before: Ints, after: Ints, val: Ints, test: Ints
) -> Figure:
    """Plot images per class, int64 (K,) each: training before and after; validation; test."""
    drawn = figure(10, bars_height(len(classes)), "Images per class")
    left, right = drawn.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    _paired_bars(left, (before, "training", LIGHT_BLUE), (after, "rebalanced", BLUE))
    _paired_bars(right, (val, "validation", "#b9dcc5"), (test, "test", GREEN))
    _name_classes(left, classes)
    return drawn


def _name_classes(axis: Axes, classes: Sequence[str]) -> None:
    class_ticks(axis, tuple(classes))
    if len(classes) > MAX_NAMED:
        axis.set_ylabel("class number")
    axis.invert_yaxis()


def _paired_bars(axis: Axes, *series: tuple[Ints, str, str]) -> None:
    for i, (count, name, colour) in enumerate(series):
        place = np.arange(len(count)) + (i - 0.5) * 0.4
        bars = axis.barh(place, count, 0.4, color=colour, label=f"{name} ({count.sum():,})")
        if len(count) <= MAX_NAMED:
            axis.bar_label(
                bars, [f"{n:,}" for n in count], padding=3, fontsize=7.5, color="#56606b"
            )
    axis.grid(axis="y", visible=False)
    axis.margins(x=0.12, y=0.01)
    axis.set_xlabel("images")
    axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2)


def bars_height(num_bars: int) -> float:
    """Compute the height of so many horizontal bars, in inches."""
    return float(np.clip(1.8 + 0.34 * num_bars, 3.2, 24))
