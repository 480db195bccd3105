"""Draw the charts of the report: the training, the classes, and the network's errors.

Each function draws and returns a figure; `style.save` writes it. Class names are shown as
`style.label` escapes and cuts them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from thawline.metrics.calibration import Reliability
from thawline.metrics.classification import Floats, Ints
from thawline.plots.class_sizes import bars_height
from thawline.plots.style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    LIGHT_BLUE,
    MAX_NAMED,
    ORANGE,
    class_ticks,
    figure,
    styled,
)
from thawline.training.curves import Curves

_BLUES = LinearSegmentedColormap.from_list("blues", ["#ffffff", "#cfe1f2", "#5b9bd0", "#123f6d"])
_MAX_COUNTED = 40
_MAX_BARS = 60


@styled
def curves(stages: Mapping[str, Curves]) -> Figure:
    """Draw loss and validation scores per epoch, one column per training stage.

    Rows have equal scales; the scores of the weights that training began with are level lines.
    """
    drawn = figure(4.9 * max(len(stages), 1), 5.6, "Training")
    axes = drawn.subplots(2, max(len(stages), 1), sharey="row", sharex="col", squeeze=False)
    for column, (stage, recorded) in enumerate(stages.items()):
        _losses(axes[0, column], recorded)
        _scores(axes[1, column], recorded)
        axes[0, column].set_title(stage)
    axes[0, 0].set_ylim(bottom=0)  # once all is drawn: it ends the scaling of the whole row
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel("validation score")
    return drawn


def _losses(axis: Axes, recorded: Curves) -> None:
    values = recorded.epochs
    for key, colour, name in (("train_loss", GREY, "training"), ("val_loss", BLUE, "validation")):
        axis.plot(values["epoch"], values[key], color=colour, lw=1.8, marker="o", ms=3, label=name)
    if recorded.start:
        axis.axhline(recorded.start["val_loss"], color=BLUE, lw=1.2, ls="--")
    axis.legend(loc="upper right")


def _scores(axis: Axes, recorded: Curves) -> None:
    values = recorded.epochs
    for key, colour, name in (
        ("val_accuracy", GREEN, "accuracy"), ("val_macro_f1", ORANGE, "macro-F1"),
    ):  # fmt: skip
        axis.plot(values["epoch"], values[key], color=colour, lw=1.8, marker="o", ms=3, label=name)
        if recorded.start:
            axis.axhline(recorded.start[key], color=colour, lw=1.2, ls="--")
    axis.yaxis.set_major_formatter(PercentFormatter(1.0))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("epoch; dashed: the weights it began with" if recorded.start else "epoch")
    _kept(axis, recorded)
    axis.legend(loc="best" if recorded.kept_start else "lower right")


def _kept(axis: Axes, recorded: Curves) -> None:
    """Mark the weights that training kept: a ring at an epoch, a level line for the start."""
    f1 = recorded.kept["val_macro_f1"]
    if not recorded.best_epoch:
        axis.axhline(f1, color=INK, lw=1.2, ls="--", label=f"kept: the start, {f1:.1%}")
        return
    axis.axvline(recorded.best_epoch, color=INK, lw=0.9, ls=":")
    axis.plot(
        recorded.best_epoch, f1, "o", ms=8, mfc="none", mec=INK, ls="", label=f"kept: {f1:.1%}"
    )


@styled
def confusion(matrix: Ints, classes: Sequence[str], title: str = "Confusion matrix") -> Figure:
    """Draw a confusion matrix; the colour is the share of the true class (row).

    Args:
        matrix: counts, int64 (K, K).
        classes: names of the classes.
        title: title of the chart.
    """
    num_classes = len(classes)
    cell = float(np.clip(13.5 / num_classes, 0.13, 0.55 if num_classes > 4 else 1.1))
    size = float(np.clip(72 * cell * 0.7, 4, 9.5))
    side = cell * min(num_classes, MAX_NAMED) + 1.6
    drawn = figure(side + 1, side, title)
    axis = drawn.subplots()
    support = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, support, out=np.zeros(matrix.shape), where=support > 0)
    # By the square root of the share, so that a mistake made with one image in fifty shows.
    image = axis.imshow(share, cmap=_BLUES, norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    for end in ("left", "bottom"):
        axis.spines[end].set_visible(False)
    axis.grid(visible=False)
    class_ticks(axis, tuple(classes), size=size)
    class_ticks(axis, tuple(classes), x=True, size=size)
    if num_classes <= MAX_NAMED:
        _cell_borders(axis, num_classes)
    if num_classes <= _MAX_COUNTED:
        _counts(axis, matrix, share, min(size, 72 * cell / (0.75 * len(f"{matrix.max():,}"))))
    axis.set(xlabel="predicted class", ylabel="true class")
    bar = drawn.colorbar(
        image, ax=axis, fraction=0.04, pad=0.02, aspect=22 * max(1, side / 6), shrink=0.8,
        format=PercentFormatter(1.0), ticks=[0, 0.02, 0.1, 0.25, 0.5, 1],
    )  # fmt: skip
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    return drawn


def _cell_borders(axis: Axes, num_classes: int) -> None:
    edges = np.arange(num_classes + 1) - 0.5
    axis.set_xticks(edges, minor=True)
    axis.set_yticks(edges, minor=True)
    axis.grid(which="minor", color=FAINT, lw=0.8 if num_classes <= _MAX_COUNTED else 0.4)
    axis.tick_params(which="minor", length=0)


def _counts(axis: Axes, matrix: Ints, share: Floats, size: float) -> None:
    for row, column in np.argwhere(matrix > 0):
        colour = "white" if share[row, column] > 0.35 else INK
        text = f"{matrix[row, column]:,}"
        axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)


@styled
def reliability_diagram(table: Reliability, title: str = "Reliability") -> Figure:
    """Draw accuracy against confidence per bin, with the number of images below."""
    drawn = figure(5.6, 6.2, f"{title}: calibration error {table.error:.1%}")
    top, bottom = drawn.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    width, centre = np.diff(table.edges), (table.edges[:-1] + table.edges[1:]) / 2
    filled = table.count > 0
    top.bar(
        centre[filled],
        table.accuracy[filled],
        width[filled] * 0.94,
        color=LIGHT_BLUE,
        label="accuracy",
    )
    top.vlines(
        centre[filled], table.accuracy[filled], table.confidence[filled],
        color=ORANGE, lw=3, label="gap to mean confidence",
    )  # fmt: skip
    top.plot(centre[filled], table.confidence[filled], "_", color=ORANGE, ms=12, mew=2.2)
    top.plot([0, 1], [0, 1], color=INK, lw=1, ls="--", label="perfectly calibrated")
    top.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    top.legend(loc="upper left")
    bottom.bar(centre, table.count, width * 0.94, color=GREY)
    bottom.set(xlabel="confidence (probability of the predicted class)", ylabel="images")
    for axis in (top.xaxis, top.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    return drawn


@styled
def per_class_f1(classes: Sequence[str], *, f1: Floats, support: Ints, macro_f1: float) -> Figure:
    """Draw F1 per class, worst first; of many classes the worst 60, as the title then says."""
    order = np.lexsort((np.arange(len(classes)), f1))[:_MAX_BARS]
    more = f", the {_MAX_BARS} worst of {len(classes)}" if len(classes) > _MAX_BARS else ""
    drawn = figure(7.2, bars_height(len(order)), f"F1 per class{more}")
    axis = drawn.subplots()
    colours = [ORANGE if value < macro_f1 - 0.1 else BLUE for value in f1[order]]
    axis.barh(np.arange(len(order)), f1[order], 0.68, color=colours)
    for place, i in enumerate(order):
        note = f"{f1[i]:.1%}  ({support[i]:,})"
        axis.text(1.02, place, note, va="center", fontsize=8.5, color="#56606b")
    class_ticks(axis, tuple(classes[i] for i in order))
    axis.axvline(macro_f1, color=INK, lw=1, ls=":")
    axis.set(xlim=(0, 1.22), xlabel=f"F1 (test images); dotted: macro-F1 {macro_f1:.1%}")
    axis.set_xticks(np.linspace(0, 1, 6))
    axis.xaxis.set_major_formatter(PercentFormatter(1.0))
    axis.grid(axis="y", visible=False)
    axis.margins(y=0.02)
    axis.invert_yaxis()
    return drawn
