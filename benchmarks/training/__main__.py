"""Thawline's training against other loops on the same images, network, batches and threads.

    python -m benchmarks.training [--images 256] [--epochs 10] [--rounds 3] [--json FILE]

Each round runs both loops one after the other; the table has the medians of seconds and of ratios.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.training import loops, material, peak
from thawline.training import device
from thawline.training.setting import TrainingData

Loop = Callable[[], None]


def comparisons(data: TrainingData, epochs: int) -> dict[str, tuple[Loop, Loop, float]]:
    """What is measured: the other loop, Thawline's, and the ratio aimed at."""
    files = material.jpegs(len(data.labels))
    blocks = {"trainable": "last_blocks", "num_blocks": 8, "epochs": epochs}
    whole = max(1, epochs // 5)
    return {
        "whole network, over forward and backward in memory": (
            lambda: loops.bare(data, whole),
            lambda: loops.engine(data, trainable="all", epochs=whole),
            0.95,
        ),
        "head on features computed once, over a tutorial's frozen loop": (
            lambda: loops.tutorial(data, files, epochs),
            lambda: loops.engine(data, trainable="head", epochs=epochs),
            15.0 * epochs / 10,
        ),
        "the same, over a frozen loop in memory, in bfloat16": (
            lambda: loops.in_memory(data, epochs),
            lambda: loops.engine(data, trainable="head", epochs=epochs),
            8.0 * epochs / 10,
        ),
        "last 8 blocks on kept views, over running the frozen ones": (
            lambda: loops.engine(data, **blocks),
            lambda: loops.engine(data, **blocks, cache="views"),
            2.5,
        ),
    }


def measure(other: Loop, ours: Loop, rounds: int) -> dict[str, float]:
    taken = [(_seconds(other), _seconds(ours)) for _ in range(rounds)]
    return {
        "other_s": statistics.median(pair[0] for pair in taken),
        "thawline_s": statistics.median(pair[1] for pair in taken),
        "ratio": statistics.median(pair[0] / pair[1] for pair in taken),
    }


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--images", type=int, default=256)
    options.add_argument("--epochs", type=int, default=10)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--json", type=Path, default=Path("build/benchmarks/training.json"))
    given = options.parse_args()
    device.setup(threads=2, seed=0)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        data = material.packed(Path(folder), given.images)
        _quiet(lambda: loops.engine(data, epochs=1))  # first use of every library
        for name, (other, ours, wanted) in comparisons(data, given.epochs).items():
            found[name] = measure(other, ours, given.rounds) | {"at_least": wanted}
    peaks = {name: peak.of(name, given.images) for name in peak.LOOPS}
    print(_table(found))
    print(f"peak memory of Thawline over the bare loop: {peaks['engine'] / peaks['bare']:.2f}")
    about = {"images": given.images, "epochs": given.epochs, "rounds": given.rounds}
    given.json.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"about": about, "found": found, "peak_mb": peaks}, indent=2)
    given.json.write_text(text + "\n")


def _seconds(loop: Loop) -> float:
    began = time.perf_counter()
    _quiet(loop)
    return time.perf_counter() - began


def _quiet(loop: Loop) -> None:
    with contextlib.redirect_stderr(io.StringIO()):
        loop()


def _table(found: dict[str, dict[str, float]]) -> str:
    lines = ["| what | other, s | Thawline, s | ratio | at least |", "|---|---|---|---|---|"]
    for name, row in found.items():
        lines.append(
            f"| {name} | {row['other_s']:.2f} | {row['thawline_s']:.2f} | {row['ratio']:.2f} "
            f"| {row['at_least']:.2f} |"
        )
    load = f"load at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    return "\n".join([*lines, load])


if __name__ == "__main__":
    main()
