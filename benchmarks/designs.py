"""What the designs of a study reach on test rows, and what each costs: a Markdown table.

    python -m benchmarks.designs [STUDY] [--rounds 5]

After `thawline study designs`, in the same folder. Of the study's newest run in the MLflow store it
takes the trials, and from the DVC experiment of each the exported network with the images. Nothing
is chosen here, so test rows may speak. Latency is timed anew in ONNX Runtime: each round times
every network once, so that a busy machine disturbs all alike; the median over the rounds.
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flows import repository
from thawline import checkpoint, params, project
from thawline.compress import session as onnx
from thawline.data.manifest import Manifest
from thawline.data.store import ImageStore
from thawline.errors import UserError
from thawline.evaluation import speed
from thawline.evaluation.accuracy import bootstrap_interval
from thawline.evaluation.memory import size_mb
from thawline.evaluation.quantities import count, interval, megabytes, milliseconds, percent
from thawline.files import INGEST, MODELS
from thawline.studies.judging import rarest
from thawline.studies.scores import Rows, score
from thawline.tracking.store import ROLE, connect

_BATCH, _REPEATS = 64, 50
_HEAD = (
    "design", "accuracy", "95 % interval", "macro-F1", "latency", "size", "parameters", "MACs",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One network of the study.

    Attributes:
        experiment: in DVC.
        parameters, macs: as the study counted them.
    """

    label: str
    experiment: str
    parameters: float
    macs: float


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What a network said of the test rows, and the bytes of its file.

    Attributes:
        packed_mb: of the checkpoint with one bit a weight, which binary layers have besides.
    """

    accuracy: float
    low: float
    high: float
    macro_f1: float
    size_mb: float
    packed_mb: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", nargs="?", default="designs")
    parser.add_argument("--rounds", type=int, default=5, help="of timing")
    given = parser.parse_args()
    trials = _trials(given.study)
    threads = params.load().training.threads
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        networks = [_fetched(trial, folder / str(n)) for n, trial in enumerate(trials)]
        reached = [_judged(network, threads) for network in networks]
        times = _timed(networks, threads, given.rounds)
    device = speed.describe("cpu", threads)
    print(f"{device.name}, {threads} threads, ONNX Runtime {device.onnxruntime}\n")
    print(table(trials, reached, times))


def table(trials: Sequence[Trial], reached: Sequence[Reached], times: Sequence[float]) -> str:
    """Args:
    times: latency of each, ms.
    """
    lines = [_HEAD, ("---", *("---:" for _ in _HEAD[1:]))]
    lines += [_row(*one) for one in zip(trials, reached, times, strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(trial: Trial, reached: Reached, latency_ms: float) -> tuple[str, ...]:
    packed = "" if reached.packed_mb is None else f" ({megabytes(reached.packed_mb)} packed)"
    return (
        trial.label,
        percent(reached.accuracy),
        interval(reached.low, reached.high),
        f"{reached.macro_f1:.3f}",
        milliseconds(latency_ms),
        megabytes(reached.size_mb) + packed,
        count(trial.parameters),
        count(trial.macs),
    )


def _trials(study: str) -> list[Trial]:
    store = connect(params.load().tracking.experiment)
    parent = store.newest({ROLE: "study", "thawline.study": study})
    runs = store.children(str(parent.info.run_id)) if parent else []
    done = [run for run in runs if "dvc.experiment" in run.data.tags]
    if not done:
        raise UserError(f"{study}: no trial in MLflow; `thawline study {study}` comes first")
    seeds = {run.data.tags["seed"] for run in done}
    return [
        Trial(
            label=run.data.tags["contender"]
            + (f", seed {run.data.tags['seed']}" if len(seeds) > 1 else ""),
            experiment=run.data.tags["dvc.experiment"],
            parameters=run.data.metrics["parameters"],
            macs=run.data.metrics["macs"],
        )
        for run in sorted(done, key=lambda run: int(run.info.start_time))
    ]


def _fetched(trial: Trial, folder: Path) -> Path:
    """The trial's exported network and its images, out of DVC's cache."""
    root = project.root()
    for out in (MODELS / "compress", INGEST):
        (folder / out).parent.mkdir(parents=True, exist_ok=True)
        words = ["--rev", trial.experiment, "--out", str(folder / out)]
        repository.dvc(root, "get", str(root), str(out), *words)
    return folder


def _judged(folder: Path, threads: int) -> Reached:
    manifest, exported = Manifest.read(folder / INGEST), folder / MODELS / "compress"
    at = manifest.rows("test")
    network = onnx.session(exported / "model.onnx", threads)
    batches = ImageStore(folder / INGEST).batches(at, _BATCH)
    predicted = np.concatenate([onnx.predict(network, batch) for batch in batches]).argmax(axis=1)
    labels = manifest.labels[at]
    support = np.bincount(labels, minlength=len(manifest.classes))
    rare = rarest(manifest.counts("train"), support)
    rows = Rows(ids=manifest.sha256[at], labels=labels, predicted=predicted, rare=rare)
    low, high = bootstrap_interval(predicted == labels, rng=np.random.default_rng(0))
    packed = exported / checkpoint.WEIGHTS
    return Reached(
        accuracy=score("accuracy", rows),
        low=low,
        high=high,
        macro_f1=score("macro_f1", rows),
        size_mb=size_mb(exported / "model.onnx"),
        packed_mb=size_mb(packed) if packed.exists() else None,
    )


def _timed(folders: Sequence[Path], threads: int, rounds: int) -> list[float]:
    """Medians of one image, ms."""
    times: list[list[float]] = [[] for _ in folders]
    for _ in range(rounds):
        for folder, measured in zip(folders, times, strict=True):
            exported = folder / MODELS / "compress"
            found = speed.measure_session(
                exported / "model.onnx",
                image_size_px=checkpoint.read_card(exported).image_size_px,
                batch_size=1,
                repeats=_REPEATS,
                threads=threads,
                rng=np.random.default_rng(0),
            )
            measured.append(found.latency_ms)
    return [statistics.median(measured) for measured in times]


if __name__ == "__main__":
    main()
