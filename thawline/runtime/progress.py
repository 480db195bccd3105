"""Show the progress of long work: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from thawline.runtime import torchrun

T = TypeVar("T")
_QUIET_S = 2.0
_LINE_EVERY_S = 10.0


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Pass items through and show their progress, once it takes longer than two seconds."""
    if not torchrun.is_main():
        yield from items
    elif sys.stderr.isatty():
        yield from _bar(items, description, total)
    else:
        yield from _lines(items, description, total)


def log(message: str) -> None:
    """Print one line for the user; above the bar when there is one."""
    if torchrun.is_main():
        print(message, file=sys.stderr, flush=True)


def _bar(items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total, rate="", visible=False)
        for done, item in enumerate(items, start=1):
            yield item
            passed = time.monotonic() - started
            bar.update(task, completed=done, rate=_rate(done, passed), visible=passed > _QUIET_S)


def _lines(items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
    started = time.monotonic()
    next_line = started + _QUIET_S
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now >= next_line:
            of = f"/{total}" if total else ""
            log(f"{description}: {done}{of}, {_rate(done, now - started)}")
            next_line = now + _LINE_EVERY_S


def _rate(done: int, seconds: float) -> str:
    return (
        f"{done / seconds:.0f}/s"
        if seconds > 0 and done >= seconds
        else f"{seconds / done:.1f} s each"
    )
