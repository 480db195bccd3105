"""Draw the charts of a study: quality against latency, each claim, gain per doubling."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from thawline.plots.style import BLUE, GREEN, GREY, LIGHT_BLUE, ORANGE, figure, label, styled
from thawline.studies.summary import Line, Summary, front

_COLOURS = {"holds": GREEN, "does not hold": ORANGE, "not decided": GREY}
_LARGEST = 900.0
"""Area of the largest network, points squared."""
_MOST_NAMED = 30


@styled
def trade_off(summary: Summary) -> Figure:
    """Draw quality against latency; area is size, filled points are on the Pareto front."""
    lines = [x for x in summary.lines if x.values and "latency_ms" in x.costs]
    drawn = figure(8, 4.6, "Quality against latency; the area is the size on disk")
    axis = drawn.subplots()
    largest = max(line.costs["size_mb"] for line in lines)
    best = front(lines)
    for line in lines:
        x, y = line.costs["latency_ms"], 100 * line.mean
        area = max(12.0, _LARGEST * line.costs["size_mb"] / largest)
        colour = BLUE if line.label in best else LIGHT_BLUE
        axis.scatter(x, y, s=area, color=colour, alpha=0.75, edgecolor="white")
        if len(lines) <= _MOST_NAMED:
            axis.annotate(label(line.label), (x, y), (6, 6), textcoords="offset points", fontsize=8)
    _spread(axis, [line.costs["latency_ms"] for line in lines], base=10, subs=(1, 2, 5))
    axis.margins(0.15)
    axis.set_xlabel("latency of one image, ms (median)")
    axis.set_ylabel(f"{summary.study.definition.measure}, %")
    return drawn


@styled
def contenders(summary: Summary) -> Figure:
    """Draw a point per trial, and a bar at the mean of each contender."""
    lines = list(summary.lines)
    drawn = figure(8, _height(len(lines)), "Every trial, and the mean of each contender")
    axis = drawn.subplots()
    for place, line in enumerate(lines):
        values = 100 * np.array(sorted(line.values.values()))
        axis.scatter(values, np.full(len(values), place), s=22, color=LIGHT_BLUE, zorder=2)
        if len(values):
            axis.scatter(values.mean(), place, marker="|", s=260, color=BLUE, zorder=3)
    axis.set_yticks(range(len(lines)), [label(line.label, 34) for line in lines])
    axis.set_ylim(len(lines) - 0.5, -0.5)
    axis.set_xlabel(f"{summary.study.definition.measure}, %")
    return drawn


@styled
def differences(summary: Summary) -> Figure:
    """Draw the interval of each claim's difference, and the smallest effect of interest."""
    drawn = figure(8, _height(len(summary.claims)), "Difference to the baseline")
    axis = drawn.subplots()
    smallest = 100 * summary.study.definition.smallest_effect
    axis.axvspan(-smallest, smallest, color="#eef1f4", zorder=0)
    axis.axvline(0, color=GREY, linewidth=1)
    for place, judged in enumerate(summary.verdicts):
        colour = _COLOURS[judged.state]
        if not math.isnan(judged.low):
            axis.plot([100 * judged.low, 100 * judged.high], [place, place], color=colour, lw=2)
        if not math.isnan(judged.mean):
            axis.scatter(100 * judged.mean, place, color=colour, s=34, zorder=3)
    names = [f"{label(c.contender)} - {label(c.baseline)}" for c in summary.claims]
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlim(-_reach(summary), _reach(summary))
    axis.set_xlabel("points; the band is too small to matter")
    return drawn


@styled
def doublings(summary: Summary) -> Figure:
    """Draw quality against operations, with the gain per doubling between contenders."""
    lines = by_macs(summary.lines)
    drawn = figure(8, 4.2, "Gain per doubling of the operations")
    axis = drawn.subplots()
    x = np.array([line.costs["macs"] / 1e6 for line in lines])
    y = np.array([100 * line.mean for line in lines])
    axis.plot(x, y, color=LIGHT_BLUE, zorder=1)
    axis.scatter(x, y, color=BLUE, zorder=2)
    for k, line in enumerate(lines):
        axis.annotate(
            label(line.label), (x[k], y[k]), (0, 8), textcoords="offset points", fontsize=8
        )
    for k, gain in enumerate(gains(lines)):
        middle = (math.sqrt(x[k] * x[k + 1]), (y[k] + y[k + 1]) / 2)
        axis.annotate(
            f"{100 * gain:+.2f}", middle, (4, -12), textcoords="offset points", color=ORANGE
        )
    _spread(axis, x.tolist(), base=2, subs=(1,))
    axis.margins(0.15)
    axis.set_xlabel("million multiply-adds of one image")
    axis.set_ylabel(f"{summary.study.definition.measure}, %")
    return drawn


def by_macs(lines: Sequence[Line]) -> list[Line]:
    """List contenders with known and different numbers of operations, in ascending order."""
    known = [line for line in lines if line.values and line.costs.get("macs", 0) > 0]
    found: list[Line] = []
    for line in sorted(known, key=lambda x: x.costs["macs"]):
        if not found or line.costs["macs"] > 1.02 * found[-1].costs["macs"]:
            found.append(line)
    return found


def gains(lines: Sequence[Line]) -> list[float]:
    """Compute the gain from each contender to the next, per doubling of the operations."""
    return [
        (b.mean - a.mean) / math.log2(b.costs["macs"] / a.costs["macs"]) for a, b in pairwise(lines)
    ]


def _reach(summary: Summary) -> float:
    """Compute half the width of the chart, in points.

    The interval of two seeds would hide all others.
    """
    means = [abs(v.mean) for v in summary.verdicts if not math.isnan(v.mean)]
    ends = [abs(end) for v in summary.verdicts for end in (v.low, v.high) if not math.isnan(end)]
    shown = max(5 * max(means, default=0.0), 5 * summary.study.definition.smallest_effect)
    return 110 * min(shown, max(ends, default=shown) + summary.study.definition.smallest_effect)


def _spread(axis: Axes, values: Sequence[float], base: int, subs: Sequence[int]) -> None:
    """Make an axis logarithmic, unless the values are too close for a tick between them.

    Its ticks are plain numbers: matplotlib would write formulas.
    """
    if max(values) < 4 * min(values):
        return
    axis.set_xscale("log", base=base)
    axis.xaxis.set_major_locator(LogLocator(base, subs))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _height(rows: int) -> float:
    return float(np.clip(1.5 + 0.34 * rows, 2.4, 16))
