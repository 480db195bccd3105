"""Style every figure alike, and write PNGs whose bytes depend on their content only."""

import functools
import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from thawline.runtime.escape import cut, visible

BLUE, LIGHT_BLUE, ORANGE, GREEN, GREY = "#2a6fb0", "#a9cbe8", "#d9742b", "#3b8f5a", "#8a929b"
INK, FAINT = "#22272e", "#e3e7eb"
DPI = 110
MAX_NAMED = 100
"""Number of classes beyond which their names cannot be read and are left out."""
Drawing = Callable[..., Figure]

RC = {
    # The font that matplotlib brings along: a system font would change the bytes between machines.
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    # A class may be called "$x$"; no text of ours is mathematics.
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "text.color": INK,
    "axes.edgecolor": "#b5bcc4",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": "#56606b",
    "ytick.color": "#56606b",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": True,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "figure.titlesize": 13,
    "figure.titleweight": "bold",
    "savefig.dpi": DPI,
}


def rc() -> dict[str, Any]:
    """Return settings for `matplotlib.rc_context`: defaults and ours, not a user's matplotlibrc."""
    return {**matplotlib.rcParamsDefault, **RC, "backend": "agg"}


def styled(draw: Drawing) -> Drawing:
    """Decorate a function to draw with our settings; those of the process stay as they were."""

    @functools.wraps(draw)
    def drawn(*args: object, **options: object) -> Figure:
        with matplotlib.rc_context(rc()):
            return draw(*args, **options)

    return drawn


def figure(
    width: float, height: float, title: str, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """Make an empty figure, sides in inches, without pyplot, which keeps every figure alive."""
    drawn = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(drawn)
    drawn.suptitle(title, x=0.01, ha="left")
    return drawn


def save(drawn: Figure, path: Path) -> None:
    """Write a PNG; equal figures give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(drawn))


def png(drawn: Figure) -> bytes:
    """Render a figure as a PNG, without time or version of the software."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(rc()):
        drawn.savefig(
            buffer, format="png", dpi=DPI, metadata={"Software": None},
            bbox_inches="tight", pad_inches=0.12,
        )  # fmt: skip
    return buffer.getvalue()


def label(name: str, limit: int = 24) -> str:
    """Shorten a class name and write characters that the figures' font lacks as escapes."""
    known = _characters()
    shown = (c if ord(c) in known else c.encode("unicode_escape").decode() for c in visible(name))
    return cut("".join(shown), limit)


def class_ticks(axis: Axes, names: tuple[str, ...], *, x: bool = False, size: float = 9) -> None:
    """Name the positions 0..K-1 of an axis by their classes, unless there are too many."""
    target = axis.xaxis if x else axis.yaxis
    if len(names) > MAX_NAMED:
        return
    turned = 90 if x and max(map(len, names)) > 3 else 0
    shown = [label(name) for name in names]
    target.set_ticks(range(len(names)), shown, fontsize=size, rotation=turned)
    axis.tick_params(length=0)


@cache
def _characters() -> frozenset[int]:
    bundled = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return frozenset(FT2Font(str(bundled)).get_charmap())
