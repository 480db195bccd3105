"""Print the table at the end of a run: each checkpoint in one line, and where to look next."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from thawline.errors import UserError
from thawline.evaluation.results import DIRECTORY, Results
from thawline.plots.quantities import interval, megabytes, milliseconds, percent, ratio
from thawline.report import score_table
from thawline.training import curves

COLUMNS = (
    "checkpoint", "accuracy", "95 % interval", "macro-F1", "rare recall", "latency", "size",
)  # fmt: skip
_PLAIN_WIDTH = 200
_TRAINING = ("transfer_learn", "fine_tune")


def show(directory: Path = DIRECTORY, file: TextIO | None = None) -> None:
    """Print the table; with few test images after a line on the width of the interval.

    Aligned plain text where the output is no terminal.

    Raises:
        UserError: evaluation has not written its results there.
    """
    results = Results.read(directory)
    console = Console(file=file or sys.stdout, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(
            file=file or sys.stdout, highlight=False, width=_PLAIN_WIDTH, color_system=None
        )
    if wide := score_table.wide_before_much(results.of(results.final)):
        console.print(Text(f"{wide}."))
    console.print(table(results, plain=not console.is_terminal))
    for line in footer(results, directory):
        console.print(Text(line, style="dim" if console.is_terminal else ""))


def table(results: Results, *, plain: bool = False) -> Table:
    """Build the table of quality, latency and size of each checkpoint; the last one ships."""
    drawn = Table(box=None if plain else box.SIMPLE_HEAD, pad_edge=not plain)
    drawn.add_column(COLUMNS[0])
    for name in COLUMNS[1:]:
        drawn.add_column(name, justify="right", no_wrap=True)
    for name in results.metrics:
        shipped = name == results.final and not plain
        drawn.add_row(*map(Text, cells(results, name)), style="bold" if shipped else "")
    return drawn


def cells(results: Results, checkpoint: str) -> tuple[str, ...]:
    """Format one checkpoint's results in the order of COLUMNS."""
    row = results.of(checkpoint)
    return (
        checkpoint,
        percent(row.get("accuracy")),
        interval(row.get("accuracy_low"), row.get("accuracy_high")),
        ratio(row.get("macro_f1")),
        ratio(row.get("rare_recall")),
        milliseconds(row.get("latency_ms")),
        megabytes(row.get("size_mb")),
    )


def _thrown_away(reports: Path) -> list[str]:
    """List the training stages whose result was discarded for their start."""
    lines = []
    for stage in _TRAINING:
        with suppress(UserError):  # of an evaluation alone
            if said := curves.describe(curves.read(reports / stage)):
                lines.append(f"{stage} {said}.")
    return lines


def footer(results: Results, directory: Path) -> list[str]:
    """List the device that the times belong to, and possible next steps."""
    device = results.device
    timed = []
    if device:
        others = "".join(f"; {name} on {gpu}" for name, gpu in results.on_gpu.items())
        timed = [f"Timed on {device['name']}, {device['threads']} threads{others}."]
    return [
        *_thrown_away(directory.parent),
        *timed,
        f"Report: {directory / 'report.html'}   Runs: make ui   Register: thawline publish",
    ]
