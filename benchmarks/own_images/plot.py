"""Draw accuracy over time, all tools in one picture per set."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.own_images.records import OURS, TOOLS, Record
from thawline.plots import style

_COLOURS = {
    OURS: style.BLUE, "fastai": style.ORANGE, "recipe": style.GREEN, "lightning": style.GREY,
    "logistic": style.INK, "logistic-cv": style.LIGHT_BLUE,
}  # fmt: skip
_DASHES = {None: "-", 64: ":", 128: "--", 224: "-"}
_MARKERS = {None: "o", 64: "v", 128: "s", 224: "^"}


@style.styled
def accuracy_over_time(set_name: str, records: Sequence[Record]) -> Figure:
    """Draw each tool and size: the mean of its seeds at each of its points.

    Args:
        records: of this set.
    """
    figure = style.figure(8.5, 4.6, f"{style.label(set_name)}: test accuracy over time")
    axis = figure.subplots()
    lines: dict[tuple[str, int | None], list[Record]] = defaultdict(list)
    for record in records:
        lines[record.run.tool, record.run.size_px].append(record)
    for (tool, size), members in sorted(
        lines.items(), key=lambda line: (list(_COLOURS).index(line[0][0]), line[0][1] or 0)
    ):
        seconds, accuracy = _mean(members)
        named = f"{TOOLS[tool].title}, {size} px" if size else TOOLS[tool].title
        axis.plot(
            seconds, accuracy, _DASHES.get(size, "-."), color=_COLOURS[tool],
            marker=_MARKERS.get(size, "d"), markersize=6 if tool == OURS else 4,
            linewidth=2.4 if tool == OURS else 1.3, label=named, zorder=3 if tool == OURS else 2,
        )  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axis.set_xlabel("seconds since the start, reading files included")
    axis.set_ylabel("accuracy on the test images")
    figure.legend(loc="outside right upper", fontsize=7.5)
    return figure


def _mean(records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
    """Average the points of the seeds, as many as each of them has."""
    count = min(len(record.points) for record in records)
    points = np.array([record.points[-count:] for record in records]).mean(axis=0)
    return points[:, 0], points[:, 1]
