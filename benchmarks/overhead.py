"""What DVC, MLflow and Prefect add to the computing of a whole run.

    python -m benchmarks.overhead [--rounds 3] [--set KEY=VALUE] [--rows ROW ROW]

Pure computing is what the stages' own functions take one after another in one process, with
everything imported, no DVC and tracking off; a first pass with an epoch, which imports and
compiles, is not counted.
Against it, in projects of their own with nothing kept: `thawline run`, the same with stages that
load their libraries each by itself, and a flow on a server of its own. All of it in turn, medians
of the rounds.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.flows import make_project, run
from benchmarks.startup import STAGES
from thawline.pipeline.forkserver import client
from thawline.runtime import safe_yaml

_TOOK = "computing took"
_BY_ITSELF = "thawline run without forks"
_ROWS = ("computing", "thawline run", _BY_ITSELF, "flow")
_LASTS = ("models", "reports", ".thawline")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of params.yaml")
    parser.add_argument("--rows", nargs="+", choices=_ROWS, default=_ROWS)
    given = parser.parse_args()
    pairs = (word.partition("=") for word in given.set)
    values = {key: safe_yaml.parse(text, f"--set {key}") for key, _, text in pairs}
    taken: dict[str, list[float]] = {name: [] for name in given.rows}
    for number in range(given.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            for name in taken:
                project = make_project(Path(scratch) / name.replace(" ", "_"), values)
                taken[name].append(_one(name, project))
        so_far = ", ".join(f"{name} {seconds[-1]:.1f} s" for name, seconds in taken.items())
        print(f"round {number + 1}: {so_far}", flush=True)
    first = next(iter(taken))
    base = statistics.median(taken[first])
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"{name}: {median:.1f} s, {median / base:.2f} of {first}, {median - base:+.1f} s")


def _one(name: str, project: Path) -> float:
    if name == "computing":
        found = run(project, "benchmarks.overhead", "computing", env={"THAWLINE_TRACKING": "off"})
        return float(found.split(_TOOK)[1].split()[0])  # among the progress of the stages
    began = time.perf_counter()
    words = ("thawline.flows.pipeline",) if name == "flow" else ("thawline.cli", "run")
    run(project, *words, env={client.VARIABLE: "off"} if name == _BY_ITSELF else {})
    return time.perf_counter() - began


def _computing() -> None:
    """In a project's folder: two passes over the stages, the seconds of the second."""
    from importlib import import_module

    from thawline.params import params_file
    from thawline.runtime import openmp
    from thawline.tracking.client import StageRun

    openmp.wait_briefly()  # as stages do
    checked = params_file.load()
    once = {
        name: getattr(checked, name).model_copy(update={"epochs": 1})
        for name in ("transfer_learn", "fine_tune")
    }
    for current in (checked.model_copy(update=once), checked):
        for folder in _LASTS:
            shutil.rmtree(folder, ignore_errors=True)
        began = time.perf_counter()
        for stage in STAGES:
            import_module(f"stages.{stage}").main(current, StageRun(None))
    print(_TOOK, time.perf_counter() - began)


if __name__ == "__main__":
    _computing() if sys.argv[1:] == ["computing"] else main()
