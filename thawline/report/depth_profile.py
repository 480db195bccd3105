"""Draw the profile of `trainable: auto`: quality of the features after each block, the cut."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from thawline.features.layer_profile import Profile
from thawline.plots.style import BLUE, GREEN, INK, LIGHT_BLUE, figure, label, styled
from thawline.training.freeze_decision import FreezeDecision


@styled
def draw(decided: FreezeDecision) -> Figure:
    """Draw probe accuracy and LogME against depth; what trains is shaded."""
    profile = decided.profile
    count = len(profile.scores)
    drawn = figure(
        float(np.clip(2.5 + 0.55 * count, 5.5, 20)), 5.4, f"What {decided.stage} trains, and why"
    )
    top, bottom = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _probe(top, profile)
    _evidence(bottom, profile)
    cut = count - decided.num_blocks - 0.5
    for axis in (top, bottom):
        axis.axvspan(cut, count - 0.5, color=LIGHT_BLUE, alpha=0.3, lw=0, label="trains")
        axis.axvline(cut, color=INK, lw=1.2, ls="--", label="the cut")
        axis.set_xlim(-0.5, count - 0.5 + 0.1)
    top.legend(loc="lower right")
    names = [label(score.block) for score in profile.scores]
    bottom.set_xticks(range(count), names, rotation=90 if count > 12 else 0)
    bottom.set_xlabel("features after block, from the input to the head")
    return drawn


def _probe(axis: Axes, profile: Profile) -> None:
    accuracy = np.array([score.accuracy for score in profile.scores])
    errors = [score.error for score in profile.scores]
    places = np.arange(len(accuracy))
    axis.errorbar(
        places, accuracy, errors, color=BLUE, lw=1.8, marker="o", ms=4, capsize=2,
        label="linear probe",
    )  # fmt: skip
    best = profile.scores[profile.best]
    axis.axhline(best.accuracy - best.error, color=BLUE, lw=0.9, ls=":", label="best - one error")
    axis.plot(
        profile.chosen, accuracy[profile.chosen], "o", ms=10, mfc="none", mec=INK,
        label="the first of the best",
    )  # fmt: skip
    axis.yaxis.set_major_formatter(PercentFormatter(1.0))
    axis.set_ylabel("probe accuracy")


def _evidence(axis: Axes, profile: Profile) -> None:
    values = [score.logme for score in profile.scores]
    axis.plot(range(len(values)), values, color=GREEN, lw=1.8, marker="o", ms=4)
    axis.set_ylabel("LogME")
