"""What the stages of the default run take before they do anything: interpreter and imports.

    python -m benchmarks.startup [--rounds 3]

Runs every stage of a copy of the project with Python's own clock for imports, which counts those
inside functions too and adds a few per cent: each by itself, and as forks of one process that has
loaded their libraries, as every run of DVC has them, whose own imports are counted too. Besides
them the time of interpreters that do nothing. Prints the medians and the largest packages.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import nullcontext
from pathlib import Path

from benchmarks.ingest import make_project
from thawline.pipeline.forkserver import client
from thawline.runtime import execution, workspace

STAGES = (
    "ingest", "rebalance", "augment", "transfer_learn", "fine_tune", "compress", "evaluate"
)  # fmt: skip
_CLOCK = {"PYTHONPROFILEIMPORTTIME": "1"}
_SHARED = "the process they are forked from"
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
_EPOCHS = re.compile(r"(?m)^(  epochs:) \d+")
Found = dict[str, dict[str, float]]
"""Process -> package -> seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    alone, forked, empty = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_project(Path(scratch) / "project")
        params = folder / "params.yaml"
        params.write_text(_EPOCHS.sub(r"\1 1", params.read_text()))  # imports are the same
        os.chdir(folder)
        os.environ.update({"THAWLINE_TRACKING": "off", execution.VARIABLE: execution.launch().id})
        for _ in range(given.rounds):
            empty.append(_seconds([sys.executable, "-c", ""]))
            alone.append(_round(forks=False))
            forked.append(_round(forks=True))
    _show("each stage by itself", alone, empty, len(STAGES))
    _show("forked", forked, empty, len(STAGES) + 1)


def _round(*, forks: bool) -> Found:
    os.environ.update(_CLOCK)
    log = workspace.log_path("forkserver")
    log.unlink(missing_ok=True)
    try:
        with client.running(()) if forks else nullcontext({client.VARIABLE: "off"}) as variables:
            found = {stage: _imports(_run(stage, variables)) for stage in STAGES}
    finally:
        for name in _CLOCK:
            del os.environ[name]
    return found | ({_SHARED: _imports(log.read_text())} if forks else {})


def _run(stage: str, variables: dict[str, str]) -> str:
    """What it wrote of its imports."""
    return subprocess.run(
        [sys.executable, "-m", f"stages.{stage}"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    ).stderr


def _imports(written: str) -> dict[str, float]:
    """Seconds by package."""
    found: dict[str, float] = defaultdict(float)
    for microseconds, module in _LINE.findall(written):
        found[module.partition(".")[0]] += int(microseconds) / 1e6
    return found


def _show(title: str, rounds: list[Found], empty: list[float], interpreters: int) -> None:
    print(f"\n| {title} | imports, s | most of it |\n|---|---:|---|")
    for process, packages in rounds[-1].items():
        seconds = statistics.median(sum(one[process].values()) for one in rounds)
        slowest = sorted(packages.items(), key=lambda item: -item[1])[:4]
        most = ", ".join(f"{name} {found:.1f}" for name, found in slowest)
        print(f"| {process} | {seconds:.2f} | {most} |")
    total = statistics.median(sum(sum(p.values()) for p in one.values()) for one in rounds)
    start = statistics.median(empty) * interpreters
    print(f"\nSum {total:.1f} s, and {start:.1f} s for the interpreters themselves.")


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
