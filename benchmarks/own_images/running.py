"""Run one tool on one set, in a process and a Python of its own."""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.own_images.contest import BEGAN
from benchmarks.own_images.records import OURS, TOOLS, Record, Run
from benchmarks.peers import race
from benchmarks.peers.material import LEAST_AREA, write_weights
from benchmarks.peers.race import FailedError
from benchmarks.peers.task import META, WEIGHTS
from thawline.models import network as networks
from thawline.params import params_file as parameters


def run_one(run: Run, sets: Path, python: Path, scratch: Path, timeout: float) -> Record:
    """Run a tool and collect what it printed and predicted.

    Args:
        sets: folder of the sets.
        python: of the environment that has the other tools.
        scratch: for what all runs share.

    Raises:
        FailedError: it ended without a result.
    """
    folder = _task_folder(sets.resolve() / run.set_name, run.size_px, scratch)
    chosen = TOOLS[run.tool]
    threads = json.loads((folder / META).read_text(encoding="utf-8"))["threads"]
    with tempfile.TemporaryDirectory() as own:
        out = Path(own) / "predictions.npz"
        command = [
            sys.executable if run.tool == OURS else str(python), "-m",
            f"benchmarks.own_images.{chosen.module}", str(folder), "--epochs", "0",
            "--seed", str(run.seed), "--out", str(out),
        ]  # fmt: skip
        variables = {**race.environment(str(threads), own), BEGAN: repr(time.time())}
        began, cores = time.perf_counter(), _cores_s()
        done = race.finished(command, variables, timeout)
        took = time.perf_counter() - began
        if done.returncode or not out.exists():
            raise FailedError(race.last_line(done.stderr) or f"exit code {done.returncode}")
        with np.load(out) as saved:
            predicted, labels = saved["predicted"].tolist(), saved["labels"].tolist()
    said = race.read(done.stdout)
    return Record(
        run=run, points=points(said), predicted=predicted, labels=labels,
        train=sum(1 for _ in (folder / "train").glob("*/*")),
        wall_s=round(took, 2), cpu_s=round(_cores_s() - cores, 2), load=os.getloadavg()[0],
        whole_s=next((line["whole_s"] for line in said if "whole_s" in line), None),
        shipped=next((line["shipped"] for line in said if "shipped" in line), None),
    )  # fmt: skip


def _cores_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def points(said: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Collect seconds and accuracy among the lines that a tool printed, by time.

    Raises:
        FailedError: there are none.
    """
    found = [(line["seconds"], line["accuracy"]) for line in said if "accuracy" in line]
    if not found:
        raise FailedError("it printed no accuracy")
    return sorted(found, key=lambda point: point[0])


def _task_folder(images: Path, size_px: int | None, scratch: Path) -> Path:
    """Put together what benchmarks.peers.task reads: the set's own files, weights, and a note."""
    folder = scratch / f"{images.name}-{size_px or 'own'}"
    if folder.exists():
        return folder
    folder.mkdir()
    for split in ("train", "test"):
        (folder / split).symlink_to(images / split)
    (folder / WEIGHTS).symlink_to(_weights(scratch))
    params = parameters.load()
    described = networks.describe(params.model.family, params.model.name)
    meta = {
        "classes": sorted(path.name for path in (images / "train").iterdir()),
        "size_px": size_px or 0,
        "network": params.model.name,
        "mean": described.mean,
        "std": described.std,
        "dropout": params.model.dropout,
        "batch_size": params.training.batch_size,
        "threads": params.training.threads,
        "mirror": True,
        "least_area": LEAST_AREA,
        "policy": "",
    }
    (folder / META).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    return folder


@cache
def _weights(scratch: Path) -> Path:
    path = scratch / WEIGHTS
    write_weights(path, parameters.load())
    return path
