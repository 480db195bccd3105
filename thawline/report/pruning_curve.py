"""Draw validation accuracy of pruned networks against their operations."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from thawline.compress.curve import Point
from thawline.cost.memory import MEGABYTE
from thawline.plots import style


@style.styled
def draw(points: Sequence[Point], chosen: Point) -> Figure:
    """Draw one dot per ratio, with its size in MB; the chosen one stands out."""
    drawn = style.figure(7, 4.2, "Pruning")
    axis = drawn.subplots()
    macs = [point.macs / 1e6 for point in points]
    axis.plot(macs, [100 * point.val_accuracy for point in points], "o-", color=style.BLUE)
    axis.plot(
        chosen.macs / 1e6, 100 * chosen.val_accuracy, "o", color=style.ORANGE, ms=11, zorder=3,
        label=f"ships: {chosen.ratio:g} of the channels removed",
    )  # fmt: skip
    for point, x in zip(points, macs, strict=True):
        text = f"{point.ratio:g}, {point.bytes / MEGABYTE:.1f} MB"
        axis.annotate(
            text, (x, 100 * point.val_accuracy), (0, -14), textcoords="offset points", ha="center"
        )
    axis.set_xlabel("operations of one image, millions of multiply-accumulates")
    axis.set_ylabel("validation accuracy, %")
    axis.margins(0.12, 0.2)
    axis.set_ylim(top=min(axis.get_ylim()[1], 101))
    axis.legend(loc="lower right")
    return drawn
