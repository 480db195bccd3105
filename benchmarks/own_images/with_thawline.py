"""Run Thawline with nothing set: `thawline init` with the folder, `run`, `predict`.

The folder's train and test are taken as they are; the seed alone is written into params.yaml. The
points are the ends of the stages whose predictions the run leaves; the last is when the model to be
shipped is there, before the stage that reports on it. The whole command's seconds are printed too.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.own_images.contest import Clock, main
from benchmarks.peers.task import Task
from thawline.cost.flops import num_macs, num_parameters
from thawline.models.network import build

_REPORTS = "evaluate"
"""The stage that trains nothing more."""
_STARTS = re.compile(r"Running stage '(\w+)'")
_CLI = (sys.executable, "-m", "thawline.cli")


def race(task: Task, clock: Clock) -> np.ndarray:
    """Run a project of its own, and let the shipped model name the class of each test image."""
    source = (task.folder / "train").resolve().parent
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        _told([*_CLI, "init", str(project), "--source", "folder", "--path", str(source)])
        _seed(project / "params.yaml", task.seed)
        author = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")
        _told(["git", "-C", str(project), *author, "commit", "--quiet", "--message", "Start"])
        ends, said = _run(project, clock)
        print(json.dumps({"whole_s": round(clock.seconds(), 2)}), flush=True)
        print(json.dumps({"shipped": _what_ships(project, said)}), flush=True)
        for stage, predicted in _of_stages(project, task).items():
            if stage in ends:
                clock.point(predicted, ends[stage])
        shipped = _shipped(project, task)
        clock.point(shipped, max(ends.values()))
    return shipped


def stage_ends(starts: list[tuple[str, float]], finished: float) -> dict[str, float]:
    """Take the start of a stage for the end of the one before; what only reports is left out."""
    if not starts:
        return {"run": finished}
    afterwards = [at for _, at in starts[1:]] + [finished]
    ends = {name: end for (name, _), end in zip(starts, afterwards, strict=True)}
    ends.pop(_REPORTS, None)
    return ends


def _seed(params: Path, seed: int) -> None:
    text = params.read_text(encoding="utf-8")
    params.write_text(re.sub(r"(?m)^seed: \d+", f"seed: {seed}", text), encoding="utf-8")


def forecast(said: str) -> tuple[float, float]:
    """Read the interval of the accuracy that the first answer came with, in [0, 1].

    That of the end, where one was expected to differ.
    """
    at_first = re.search(r"first answer in .*? % \(([\d.]+) to ([\d.]+)\)", said)
    in_the_end = re.search(r"expected in the end: ([\d.]+) to ([\d.]+) %", said)
    found = in_the_end or at_first
    assert found is not None
    return float(found[1]) / 100, float(found[2]) / 100


def _what_ships(project: Path, said: str) -> dict[str, float]:
    """Count what ships beside the whole network that training began with."""
    scores = json.loads((project / "reports" / "evaluate" / "metrics.json").read_text())["compress"]
    decided = json.loads((project / "reports" / "fine_tune" / "decision.json").read_text())
    card = json.loads((project / "models" / "compress" / "model.json").read_text())
    whole = build(card["family"], card["name"], num_classes=len(card["classes"]), dropout=0, seed=0)
    low, high = forecast(said)
    return {
        "parameters": scores["parameters"] / num_parameters(whole),
        "macs": scores["macs"] / num_macs(whole.eval(), card["image_size_px"]),
        "tuned": float(decided["outcome"].find("accepts the tuned") >= 0),
        "refit": float(card.get("refit", False)),
        "forecast_low": low,
        "forecast_high": high,
    }


def _run(project: Path, clock: Clock) -> tuple[dict[str, float], str]:
    """Run the pipeline.

    Returns:
        When each stage ended, in seconds of the clock, and all that it said.
    """
    starts = []
    running = subprocess.Popen(
        [*_CLI, "run"], cwd=project, env=_environment(), text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said = []
    assert running.stdout is not None
    for line in running.stdout:
        said.append(line)
        begun = _STARTS.search(line)
        if begun:
            starts.append((begun[1], clock.seconds()))
    if running.wait():
        sys.exit("".join(said[-20:]))
    return stage_ends(starts, clock.seconds()), "".join(said)


def _of_stages(project: Path, task: Task) -> dict[str, np.ndarray]:
    """Read what each stage's network said of the test rows, where the run leaves it."""
    table = project / "reports" / "evaluate" / "predictions.parquet"
    if not table.exists():
        return {}
    said = pd.read_parquet(table)
    manifest = pd.read_parquet(project / "data" / "ingest" / "manifest.parquet")
    classes = manifest.groupby("label")["class"].first()
    names = manifest["name"][said["row"]]
    place = {
        str(file.relative_to(task.folder)): n for n, (file, _) in enumerate(task.files("test"))
    }
    rows = np.array([place[name] for name in names])
    found = {}
    for stage in said.columns.difference(["row", "sha256", "label"], sort=False):
        predicted = np.full(len(place), -1)
        likeliest = np.stack(list(said[stage])).argmax(axis=1)
        predicted[rows] = [task.classes.index(classes[label]) for label in likeliest]
        found[stage] = predicted
    return found


def _shipped(project: Path, task: Task) -> np.ndarray:
    """Ask the shipped model; an image that it refuses counts as wrong."""
    files = [file.resolve() for file, _ in task.files("test")]
    asked = subprocess.run(
        [*_CLI, "predict", "--json", "-"], cwd=project, env=_environment(), text=True,
        input="\n".join(map(str, files)) + "\n", capture_output=True,
    )  # fmt: skip
    said = {}
    for line in asked.stdout.splitlines():
        answer = json.loads(line)
        if answer.get("predictions"):
            said[answer["image"]] = task.classes.index(answer["predictions"][0]["class"])
    if not said:
        sys.exit(asked.stderr)
    return np.array([said.get(str(file), -1) for file in files], np.int64)


def _told(words: list[str]) -> None:
    ended = subprocess.run(words, env=_environment(), text=True, capture_output=True)
    if ended.returncode:
        sys.exit(ended.stderr or ended.stdout)


def _environment() -> dict[str, str]:
    # DVC and the stages are found beside this Python.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path}


if __name__ == "__main__":
    main(__doc__, race)
