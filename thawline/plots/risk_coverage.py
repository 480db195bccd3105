"""Plot the accuracy gained by abstaining."""

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from thawline.metrics.selective_prediction import RiskCoverage
from thawline.plots.style import BLUE, GREY, INK, figure, styled


@styled
def risk_coverage(table: RiskCoverage) -> Figure:
    """Plot accuracy against the share that is answered, and the entropy up to which that is."""
    drawn = figure(5.6, 5.4, f"Abstaining: area under the risk {table.aurc:.4f}")
    top, bottom = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    top.plot(table.coverage, table.accuracy, color=BLUE, lw=1.8)
    top.axhline(table.accuracy[-1], color=INK, lw=1, ls=":", label="answering everything")
    top.set_ylabel("accuracy of the answers")
    top.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    top.legend(loc="lower left")
    bottom.plot(table.coverage, table.threshold, color=GREY, lw=1.8)
    bottom.set(xlabel="share of the images answered, the surest first", xlim=(0, 1))
    bottom.set_ylabel("entropy, nats")
    bottom.set_ylim(bottom=0)
    bottom.xaxis.set_major_formatter(PercentFormatter(1.0))
    return drawn
