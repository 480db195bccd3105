"""Draw the accuracy of a head in closed form for each group of blocks that it could read."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from thawline.features.layer_profile import GroupScore, HeadFit
from thawline.plots.style import BLUE, LIGHT_BLUE, figure, styled


@styled
def draw(fit: HeadFit) -> Figure:
    """Draw a bar per group, the smallest networks on top; the chosen one is dark."""
    names = [_name(group) for group in fit.tried]
    accuracy = np.array([group.accuracy for group in fit.tried])
    drawn = figure(8.5, 1.6 + 0.24 * len(names), "What the head could read")
    axis = drawn.subplots()
    colours = [BLUE if group == fit.chosen else LIGHT_BLUE for group in fit.tried]
    places = np.arange(len(names))
    axis.barh(places, accuracy, color=colours, height=0.72)
    for place, group in enumerate(fit.tried):
        text = f" {group.accuracy:.1%}, error {group.squared_error:.3f}"
        axis.text(group.accuracy, place, text, va="center", size=8)
    axis.set_yticks(places, names, size=8.5)
    axis.invert_yaxis()
    low = max(0.0, float(accuracy.min()) - 0.05)
    axis.set_xlim(low, float(accuracy.max()) + 0.25 * (float(accuracy.max()) - low))
    axis.xaxis.set_major_formatter(PercentFormatter(1.0))
    axis.set_xlabel(
        f"accuracy on {fit.num_rows:,} training images left out of the fit, and the squared error\n"
        "of their scores: the smallest network is taken whose error is the least but for chance"
    )
    axis.grid(visible=False, axis="y")
    return drawn


def _name(group: GroupScore) -> str:
    first, last = group.blocks[0], group.blocks[-1]
    return first if len(group.blocks) == 1 else f"{first} to {last}"
