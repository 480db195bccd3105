"""Draw the charts of the data report: images per class, distributions of sizes and looks."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thawline.dataset.manifest import Manifest
from thawline.ingest.decoding.image_stats import Looks
from thawline.plots.style import BLUE, GREEN, MAX_NAMED, ORANGE, class_ticks, figure, styled

_SPLITS = (("train", BLUE), ("val", GREEN), ("test", ORANGE))
_BINS = 40


@styled
def classes(manifest: Manifest) -> Figure:
    """Draw images per class, splits stacked in a bar; more than 100 classes stay unnamed."""
    number = len(manifest.classes)
    drawn = figure(8, float(np.clip(1.4 + 0.26 * number, 2.6, 18)), "Images per class")
    axis = drawn.subplots()
    left = np.zeros(number)
    for split, colour in _SPLITS:
        counts = manifest.counts(split)
        axis.barh(
            np.arange(number), counts, 0.72, left=left, color=colour,
            label=f"{split} ({counts.sum():,})",
        )  # fmt: skip
        left += counts
    class_ticks(axis, manifest.classes)
    if number > MAX_NAMED:
        axis.set_ylabel("class number")
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("images")
    axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3)
    axis.invert_yaxis()
    return drawn


@styled
def spread(manifest: Manifest, looks: Iterable[Looks]) -> Figure:
    """Draw histograms of size, shape, brightness, contrast and sharpness."""
    # A fixed grid takes a third of the time of an automatic one.
    drawn = figure(13, 2.9, "Sizes and looks", layout=None)
    drawn.subplots_adjust(left=0.05, right=0.99, top=0.86, bottom=0.17, wspace=0.28)
    axes = drawn.subplots(1, 5)
    longer = np.maximum(manifest.widths, manifest.heights)
    shape = manifest.widths / manifest.heights
    _histogram(axes[0], longer, "longer side, px", log=True)
    _histogram(axes[1], shape, "width / height", log=True)
    _histogram(axes[2], np.array([look.brightness for look in looks]), "brightness")
    _histogram(axes[3], np.array([look.contrast for look in looks]), "contrast")
    _histogram(axes[4], np.array([look.sharpness for look in looks]) + 1, "sharpness + 1", log=True)
    axes[0].set_ylabel("images")
    return drawn


def _histogram(axis: Axes, values: np.ndarray, name: str, *, log: bool = False) -> None:
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = (low / 2, high * 2) if log else (low - 1, high + 1)
    edges = np.geomspace(low, high, _BINS) if log else np.linspace(low, high, _BINS)
    axis.hist(values, bins=edges.tolist(), color=BLUE)
    if log:
        axis.set_xscale("log")
        axis.minorticks_off()
        ticks = np.geomspace(low, high, 3)
        axis.set_xticks(ticks, [_number(tick) for tick in ticks])
    axis.set_xlabel(name)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
