"""What the stages of the default run take before they do anything: interpreter and imports.

    python -m benchmarks.startup [--rounds 3]

Runs every stage of a copy of the project with Python's own clock for imports (`-X importtime`),
which counts those inside functions too and adds a few per cent. Besides it the time of seven
interpreters that do nothing. Prints the medians, and the largest packages of a stage.
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
from pathlib import Path

from benchmarks.ingest import make_project

STAGES = (
    "ingest", "rebalance", "augment", "transfer_learn", "fine_tune", "compress", "evaluate"
)  # fmt: skip
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
_EPOCHS = re.compile(r"(?m)^(  epochs:) \d+")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    taken: dict[str, list[float]] = {stage: [] for stage in STAGES}
    packages: dict[str, dict[str, float]] = {}
    empty = []
    with tempfile.TemporaryDirectory() as scratch:
        project = make_project(Path(scratch) / "project")
        params = project / "params.yaml"
        params.write_text(_EPOCHS.sub(r"\1 1", params.read_text()))  # imports are the same
        for _ in range(given.rounds):
            empty.append(_seconds([sys.executable, "-c", ""]))
            for stage in STAGES:
                packages[stage] = _imports(project, stage)
                taken[stage].append(sum(packages[stage].values()))
    print("| stage | imports, s | most of it |\n|---|---:|---|")
    for stage, seconds in taken.items():
        slowest = sorted(packages[stage].items(), key=lambda item: -item[1])[:4]
        most = ", ".join(f"{name} {found:.1f}" for name, found in slowest)
        print(f"| {stage} | {statistics.median(seconds):.2f} | {most} |")
    total = sum(statistics.median(seconds) for seconds in taken.values())
    start = statistics.median(empty) * len(STAGES)
    print(f"\nSum {total:.1f} s, and {start:.1f} s for the interpreter itself.")


def _imports(project: Path, stage: str) -> dict[str, float]:
    """Seconds by package."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", f"stages.{stage}"],
        cwd=project,
        env={**os.environ, "THAWLINE_TRACKING": "off"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = defaultdict(float)
    for microseconds, module in _LINE.findall(done.stderr):
        found[module.partition(".")[0]] += int(microseconds) / 1e6
    return found


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
