"""Plot accuracy against latency over many runs, with their Pareto front."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter
from numpy.typing import NDArray

from thawline.metrics.pareto import non_dominated
from thawline.plots.style import BLUE, GREY, INK, ORANGE, figure, label, styled

_MAX_NAMED = 12
_LARGEST = 900.0
"""Area of the largest model's disc, in square points."""


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """Finished run, as the picture shows it.

    Attributes:
        latency_ms: latency of one image, on the device of the picture.
        size_mb: size of the model that ships.
        comparable: whether it was scored on the data set of the marked run; others are shown, but
            are not on the front.
        marked: whether the picture belongs to this run.
    """

    name: str
    accuracy: float
    latency_ms: float
    size_mb: float
    comparable: bool = True
    marked: bool = False


def front(runs: Sequence[FinishedRun]) -> NDArray[np.int64]:
    """Find the comparable runs that no other one beats: positions from the fastest on, int64 (M,).

    A run beats another that is no faster and no more accurate than it, and worse in one of the two.
    Of equal ones the first is kept.
    """
    asked = np.array([at for at, run in enumerate(runs) if run.comparable], dtype=np.int64)
    costs = np.array([(runs[at].latency_ms, -runs[at].accuracy) for at in asked]).reshape(-1, 2)
    front = non_dominated(costs)
    _, first = np.unique(costs[front], axis=0, return_index=True)
    return asked[front][first]


@styled
def picture(runs: Sequence[FinishedRun], device: str) -> Figure:
    """Plot every run as a disc whose area is its model's size, and the front as a line, named."""
    drawn = figure(8.4, 5.2, "Accuracy, latency and size of all runs")
    axis = drawn.subplots()
    best = front(runs)
    largest = max(run.size_mb for run in runs)
    for position, run in enumerate(runs):
        _disc(axis, run, _LARGEST * run.size_mb / largest, on_front=position in best)
    chosen = [runs[at] for at in best]
    axis.step(
        [run.latency_ms for run in chosen], [run.accuracy for run in chosen],
        where="post", color=BLUE, lw=1.4, zorder=1,
    )  # fmt: skip
    for run in _named(chosen, runs):
        axis.annotate(
            label(run.name), (run.latency_ms, run.accuracy), (6, -11),
            textcoords="offset points", fontsize=8, color=INK,
        )  # fmt: skip
    _logarithmic(axis)
    axis.yaxis.set_major_formatter(PercentFormatter(1.0))
    axis.set_xlabel(f"latency of one image, ms ({label(device, 60)})")
    axis.set_ylabel("test accuracy")
    axis.margins(0.12)
    axis.set_title(
        f"area: size of the model, the largest {largest:.3g} MB; orange: this run; "
        "hollow: another data set",
        fontsize=8.5, fontweight="normal", color=GREY,
    )  # fmt: skip
    return drawn


def _logarithmic(axis: Axes) -> None:
    """Set a logarithmic axis of plain numbers; matplotlib's own are mathematics, not rendered."""
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _disc(axis: Axes, run: FinishedRun, area: float, *, on_front: bool) -> None:
    colour = ORANGE if run.marked else BLUE if on_front else GREY
    axis.scatter(
        [run.latency_ms], [run.accuracy], s=max(area, 12), alpha=0.75, edgecolors=colour,
        facecolors=colour if run.comparable else "none", zorder=3 if run.marked else 2,
    )  # fmt: skip


def _named(chosen: Sequence[FinishedRun], runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """Choose the runs to name: the marked one and the front, as many as can be read."""
    marked = [run for run in runs if run.marked and run not in chosen]
    return [*marked, *chosen][:_MAX_NAMED]
