"""Thawline's training against other loops on the same images, network, batches and threads.

    python -m benchmarks.training [--network resnet/resnet18] [--images 256] [--epochs 10]
        [--rounds 3] [--size 64] [--batch 32] [--threads 2] [--device cpu] [--precision float32]
        [--only WORD] [--json FILE]

Each round runs both loops one after the other; the table has the medians of seconds and of ratios.
Where a loop could run in float32 or bfloat16, the quicker of the two is what Thawline has to beat.
Weights are random: nothing here depends on them.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks.training import loops, options, peak
from benchmarks.training.material import Case
from thawline.cost import hardware
from thawline.training.context import TrainingData

Loop = Callable[[], None]
Comparison = tuple[Sequence[Loop], Loop, float | None]
"""The other loops, of which the quickest counts, Thawline's, and the ratio aimed at."""
_PRECISIONS = ("float32", "bfloat16")


def comparisons(case: Case, data: TrainingData) -> dict[str, Comparison]:
    files, epochs = case.jpegs(), case.epochs
    whole = max(1, epochs // 5)
    third = {"trainable": "last_blocks", "num_blocks": case.thawed}

    def ours() -> None:
        loops.engine(case, data, trainable="all", epochs=whole)

    found: dict[str, Comparison] = {
        "whole network, over forward and backward in memory": (
            [lambda: loops.bare(case, data, whole, plain=False)], ours, 0.95,
        ),
        "the same, over PyTorch's own convolutions": (
            [lambda: loops.bare(case, data, whole, plain=True)], ours, None,
        ),
        "head, over a tutorial's frozen loop": (
            [lambda: loops.tutorial(case, data, files, epochs)],
            lambda: loops.engine(case, data), 1.5 * epochs,
        ),
        "head, over a frozen loop in memory": (
            [partial(loops.in_memory, case, data, epochs, p) for p in _PRECISIONS],
            lambda: loops.engine(case, data), 0.8 * epochs,
        ),
        "last blocks on views kept, over a tutorial's partial fine-tuning": (
            [lambda: loops.tutorial(case, data, files, epochs, case.thawed)],
            lambda: loops.engine(case, data, **third, cache="views"), 2.5,
        ),
        "last blocks on views kept, over partial fine-tuning in memory": (
            [partial(loops.partial, case, data, epochs, p) for p in _PRECISIONS],
            lambda: loops.engine(case, data, **third, cache="views"), None,
        ),
    }  # fmt: skip
    return found


def measure(others: Sequence[Loop], ours: Loop, rounds: int) -> dict[str, float]:
    taken = [([_seconds(other) for other in others], _seconds(ours)) for _ in range(rounds)]
    quickest = min(
        range(len(others)), key=lambda at: statistics.median(them[at] for them, _ in taken)
    )
    return {
        "other_s": statistics.median(them[quickest] for them, _ in taken),
        "thawline_s": statistics.median(mine for _, mine in taken),
        "ratio": statistics.median(them[quickest] / mine for them, mine in taken),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        parents=[options.arguments()],
        conflict_handler="resolve",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="rows with this in their name")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/training.json"))
    given = parser.parse_args()
    chosen = options.case(given)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        data = chosen.packed(Path(folder))
        _quiet(lambda: loops.engine(chosen, data, epochs=1))  # first use of every library
        _quiet(lambda: loops.bare(chosen, data, 1, plain=True))
        for name, (others, ours, wanted) in comparisons(chosen, data).items():
            if given.only not in name:
                continue
            found[name] = {**measure(others, ours, given.rounds), "at_least": wanted}
    words = _without(sys.argv[1:], ("--rounds", "--json", "--only"))
    peaks = {name: peak.of(name, words) for name in peak.LOOPS}
    print(_about(chosen, given))
    print(_table(found))
    print(f"\nPeak memory over the bare loop's: {peaks['engine'] / peaks['bare']:.2f}")
    given.json.parent.mkdir(parents=True, exist_ok=True)
    about = {key: str(value) for key, value in vars(given).items()}
    text = json.dumps({"about": about, "found": found, "peak_mb": peaks}, indent=2)
    given.json.write_text(text + "\n")


def _without(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """The words but for these options and their values."""
    kept, skip = [], False
    for word in words:
        if not skip and word not in options:
            kept.append(word)
        skip = word in options
    return kept


def _seconds(loop: Loop) -> float:
    began = time.perf_counter()
    _quiet(loop)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _quiet(loop: Loop) -> None:
    with contextlib.redirect_stderr(io.StringIO()):
        loop()


def _about(chosen: Case, given: argparse.Namespace) -> str:
    where = hardware.describe(chosen.device.type, given.threads).name
    workers = chosen.machine().workers
    return (
        f"{where}, {given.threads} threads, {workers} workers: {chosen.name}, "
        f"{chosen.images} images of {chosen.size_px} px, batches of {chosen.batch_size}, "
        f"{chosen.epochs} epochs, {chosen.numerics()}; medians of {given.rounds}; load at the end "
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
    )


def _table(found: dict[str, dict[str, float | None]]) -> str:
    lines = ["| what | other, s | Thawline, s | ratio | at least |", "|---|---:|---:|---:|---:|"]
    for name, row in found.items():
        wanted = "" if row["at_least"] is None else f"{row['at_least']:.2f}"
        lines.append(
            f"| {name} | {row['other_s']:.2f} | {row['thawline_s']:.2f} | {row['ratio']:.2f} "
            f"| {wanted} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
