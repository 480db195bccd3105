"""Thawline against tools that one would otherwise take: time to an accuracy, and final accuracy.

    python3 -m venv PEERS && PEERS/bin/pip install -r benchmarks/peers/requirements.txt
    python -m benchmarks.peers.race --python PEERS/bin/python [--data digits] [--seeds 5]
        [--epochs 8] [--tools plain,fastai] [--out FILE]
    python -m benchmarks.peers.race --python PEERS/bin/python --data idx:PATH --policy light
        --mirror --max-train 4000 --max-test 10000 [--set fine_tune.learning_rate=0.01]

Beforehand nothing but the environment; afterwards a Markdown table here and JSON in --out. For each
seed the tools run one after the other in shuffled order, each in a process of its own, on the same
PNG files, from the same ImageNet weights below a new classifier, with the same batch size, threads
and number of passes over the images (--epochs), and each with its own best documented settings,
which its module names. Every tool keeps the weights of its best epoch on the validation images.

An epoch is a pass of all training images through the network. Thawline's head trains on what
augment.views passes gave, so of 8 epochs 2 are those and 6 are fine_tune's; ours.py says more.

The clock of a tool starts after its imports and stops with each epoch's validation. Everything
else counts: reading and packing images, building the network, writing checkpoints. The accuracy to
be reached is, for each seed, the highest on validation images that every tool reaches; a tool that
starts from other weights has no say in it. So that one weak tool does not make it easy, a second
column compares each pair at the accuracy that these two reach. Ratios are medians over the seeds
with a bootstrap over them; differences of test accuracy are paired, over seeds and rows.

ultralytics is under the AGPL: it is in no dependency list of this project, only in the environment
of the others, where it is started as a program of its own, and nothing of it is imported here.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import params
from benchmarks.peers import material
from benchmarks.peers.results import OURS, Race, Run, as_json, table
from thawline.cost import hardware

TOOLS = {
    OURS: "ours",
    "plain PyTorch": "plain",
    "fastai": "with_fastai",
    "Lightning": "with_lightning",
    "ultralytics": "with_ultralytics",
}
"""Names and modules of benchmarks.peers."""
_ROOT = Path(__file__).resolve().parents[2]
_OFFLINE = {
    "HF_HUB_OFFLINE": "1", "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false", "MPLBACKEND": "Agg", "PYTHONNOUSERSITE": "1",
}  # fmt: skip


class FailedError(Exception):
    """A tool ended without a result."""


def main() -> None:
    given = _arguments()
    params.changed(given.set)  # what is wrong with it is said at once
    print(_about(given), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "images"
        counts = material.write(folder, given)
        print(", ".join(f"{split} {count:,}" for split, count in counts.items()), flush=True)
        found = {seed: _round(given, folder, seed) for seed in range(given.seeds)}
    race = judge(list(found.values()))
    print(f"\n{table(race)}\n\nLoad at the end {os.getloadavg()[0]:.1f}.")
    if given.out:
        about = {key: str(value) for key, value in vars(given).items() if key != "python"}
        content = {"about": about, "images": counts, **as_json(race)}
        given.out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], parents=[material.arguments(), params.argument()]
    )
    parser.add_argument("--python", type=Path, required=True, help="of the other tools")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--tools", type=_tools, default=list(TOOLS), help=",".join(TOOLS.values()))
    parser.add_argument("--timeout", type=float, default=3600.0, help="of one tool and seed, s")
    parser.add_argument("--out", type=Path, help="for the JSON")
    return parser.parse_args()


def _tools(text: str) -> list[str]:
    """Names of the modules given, with or without `with_`; Thawline always runs."""
    wanted = {word.removeprefix("with_") for word in text.split(",")} | {TOOLS[OURS]}
    return [name for name, module in TOOLS.items() if module.removeprefix("with_") in wanted]


def _about(given: argparse.Namespace) -> str:
    training = material.params_of(given).training
    where = hardware.describe("cpu", training.threads).name
    return (
        f"{where}, {training.threads} threads: {given.data}, batches of {training.batch_size}, "
        f"{given.epochs} epochs, {given.seeds} seeds; load at the start {os.getloadavg()[0]:.1f} "
        f"on {os.cpu_count()} cores"
    )


def _round(given: argparse.Namespace, folder: Path, seed: int) -> dict[str, Run | FailedError]:
    """Every tool once."""
    order = list(given.tools)
    random.Random(seed).shuffle(order)
    found: dict[str, Run | FailedError] = {}
    for name in order:
        try:
            found[name] = one = _run(name, given, folder, seed)
            said = f"{one.best():.2%} in {one.seconds[-1]:.1f} s"
        except FailedError as failure:
            found[name], said = failure, f"failed: {failure}"
        print(f"seed {seed}, {name}: {said}", flush=True)
    return {name: found[name] for name in given.tools}


def _run(name: str, given: argparse.Namespace, folder: Path, seed: int) -> Run:
    python = sys.executable if name == OURS else str(given.python)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "predictions.npz"
        command = [
            python, "-m", f"benchmarks.peers.{TOOLS[name]}", str(folder),
            "--epochs", str(given.epochs), "--seed", str(seed), "--out", str(out),
        ]  # fmt: skip
        if name == OURS:
            command += [word for change in given.set for word in ("--set", change)]
        threads = str(material.params_of(given).training.threads)
        done = finished(command, environment(threads, scratch), given.timeout)
        if done.returncode or not out.exists():
            raise FailedError(last_line(done.stderr) or f"exit code {done.returncode}")
        with np.load(out) as saved:
            right = saved["predicted"] == saved["labels"]
    told = read(done.stdout)
    epochs = [line for line in told if "seconds" in line]
    return Run(
        seconds=[line["seconds"] for line in epochs],
        accuracies=[line["val_accuracy"] for line in epochs],
        right=right,
        prepared_s=sum(line.get("prepared", 0.0) for line in told),
        note=next((line["note"] for line in told if "note" in line), ""),
    )


def environment(threads: str, scratch: str) -> dict[str, str]:
    """Let a tool see this project, so many threads, and no network."""
    fixed = {
        "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
        "YOLO_CONFIG_DIR": scratch, "FASTAI_HOME": scratch,
    }  # fmt: skip
    return dict(os.environ) | _OFFLINE | fixed


def finished(
    command: Sequence[str], variables: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end.

    Raises:
        FailedError: it takes too long, or cannot be started.
    """
    try:
        return subprocess.run(
            command, cwd=_ROOT, env=variables, capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise FailedError(f"not done after {timeout:.0f} s") from None
    except OSError as error:
        raise FailedError(f"could not be started: {error.strerror}") from None


def read(output: str) -> list[dict[str, Any]]:
    """The lines that a racer said itself, among what its libraries print."""
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"')]


def last_line(text: str) -> str:
    """Take the last words of a tool that failed."""
    return next((line.strip()[:200] for line in reversed(text.splitlines()) if line.strip()), "")


def judge(rounds: Sequence[Mapping[str, Run | FailedError]]) -> Race:
    """One Race of the rounds; a tool that failed once is out."""
    runs, failed = dict[str, list[Run]](), dict[str, str]()
    for found in rounds:
        for name, one in found.items():
            if isinstance(one, FailedError):
                failed[name] = f"failed: {one}"
            else:
                runs.setdefault(name, []).append(one)
    whole = {name: found for name, found in runs.items() if name not in failed}
    if OURS not in whole:
        raise SystemExit(f"{OURS} {failed[OURS]}")
    return Race(runs=whole, failed=failed)


if __name__ == "__main__":
    main()
