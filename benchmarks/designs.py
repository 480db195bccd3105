"""What the designs of a study reach on test rows, and what each costs: a Markdown table.

    python -m benchmarks.designs [STUDY] [--rounds 5]

After `thawline study designs`, in the same folder. Of the study's newest run in the MLflow store it
takes the trials, and from the DVC experiment of each the network with the images. Nothing is chosen
here, so test rows may speak. Every network is exported as `compress` does it and timed anew in ONNX
Runtime: each round times each once, so that a busy machine disturbs all alike; the median over the
rounds. Binary layers are timed with packed bits too, which PyTorch runs.
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from thawline.compress.export import export
from thawline.cost import hardware
from thawline.cost import ort_session as onnx
from thawline.cost.latency import measure_network, measure_session
from thawline.cost.memory import size_mb
from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.flows import repository
from thawline.metrics.classification import bootstrap_interval
from thawline.models import checkpoint
from thawline.models.surgery.packed_xnor import pack
from thawline.params import params_file
from thawline.plots.quantities import count, interval, megabytes, milliseconds, percent
from thawline.runtime import workspace
from thawline.runtime.output_paths import INGEST, MODELS
from thawline.studies.judging import rarest
from thawline.studies.scores import ScoredRows, score
from thawline.tracking.store import ROLE, connect

_BATCH, _REPEATS = 64, 50
_NETWORK, _IMAGES, _ONNX = "network", "images", "model.onnx"
_HEAD = (
    "design", "accuracy", "95 % interval", "macro-F1", "latency", "size", "parameters", "MACs",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One network of the study.

    Attributes:
        experiment: in DVC.
        stage: where its network is.
        parameters, macs: as the study counted them.
    """

    label: str
    experiment: str
    stage: str
    parameters: float
    macs: float


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What a network said of the test rows, and the bytes of its file.

    Attributes:
        packed: size, MB, and latency, ms, of the network with one bit for a binary weight.
    """

    accuracy: float
    low: float
    high: float
    macro_f1: float
    size_mb: float
    packed: tuple[float, float] | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", nargs="?", default="designs")
    parser.add_argument("--rounds", type=int, default=5, help="of timing")
    given = parser.parse_args()
    trials = _trials(given.study)
    threads = params_file.load().training.threads
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        networks = [_fetched(trial, folder / str(n)) for n, trial in enumerate(trials)]
        reached = [_judged(network, threads) for network in networks]
        times = _timed(networks, threads, given.rounds)
    device = hardware.describe("cpu", threads)
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
    size, latency = megabytes(reached.size_mb), milliseconds(latency_ms)
    if reached.packed is not None:
        size += f", packed {megabytes(reached.packed[0])}"
        latency += f", packed {milliseconds(reached.packed[1])}"
    return (
        trial.label,
        percent(reached.accuracy),
        interval(reached.low, reached.high),
        f"{reached.macro_f1:.3f}",
        latency,
        size,
        count(trial.parameters),
        count(trial.macs),
    )


def _trials(study: str) -> list[Trial]:
    store = connect(params_file.load().tracking.experiment)
    parent = store.newest({ROLE: "study", "thawline.study": study})
    runs = store.children(str(parent.info.run_id)) if parent else []
    stage = parent.data.tags["measure"].partition(".")[0] if parent else ""
    done = [run for run in runs if "dvc.experiment" in run.data.tags]
    if not done:
        raise UserError(f"{study}: no trial in MLflow; `thawline study {study}` comes first")
    seeds = {run.data.tags["seed"] for run in done}
    return [
        Trial(
            label=run.data.tags["contender"]
            + (f", seed {run.data.tags['seed']}" if len(seeds) > 1 else ""),
            experiment=run.data.tags["dvc.experiment"],
            stage=stage,
            parameters=run.data.metrics["parameters"],
            macs=run.data.metrics["macs"],
        )
        for run in sorted(done, key=lambda run: int(run.info.start_time))
    ]


def _fetched(trial: Trial, folder: Path) -> Path:
    """The trial's network, its export beside it, and its images, out of DVC's cache."""
    root = workspace.root()
    for out, name in ((MODELS / trial.stage, _NETWORK), (INGEST, _IMAGES)):
        folder.mkdir(exist_ok=True)
        words = ["--rev", trial.experiment, "--out", str(folder / name)]
        repository.dvc(root, "get", str(root), str(out), *words)
    network, card = checkpoint.load(folder / _NETWORK)
    export(
        network, folder / _ONNX, image_size_px=card.image_size_px, mean=card.mean, std=card.std
    )  # fmt: skip
    return folder


def _judged(folder: Path, threads: int) -> Reached:
    manifest = Manifest.read(folder / _IMAGES)
    at = manifest.rows("test")
    network = onnx.session(folder / _ONNX, threads)
    batches = ImageStore(folder / _IMAGES).batches(at, _BATCH)
    predicted = np.concatenate([onnx.predict(network, batch) for batch in batches]).argmax(axis=1)
    labels = manifest.labels[at]
    support = np.bincount(labels, minlength=len(manifest.classes))
    rare = rarest(manifest.counts("train"), support)
    ids = np.array([manifest.sha256[row] for row in at])
    rows = ScoredRows(ids=ids, labels=labels, predicted=predicted, rare=rare)
    low, high = bootstrap_interval(predicted == labels, rng=np.random.default_rng(0))
    return Reached(
        accuracy=score("accuracy", rows),
        low=low,
        high=high,
        macro_f1=score("macro_f1", rows),
        size_mb=size_mb(folder / _ONNX),
        packed=_packed(folder, threads),
    )


def _packed(folder: Path, threads: int) -> tuple[float, float] | None:
    """Size, MB, and latency, ms, with packed bits; None without binary layers."""
    network, card = checkpoint.load(folder / _NETWORK)
    if not pack(network):
        return None
    bits = folder / "packed"
    bits.mkdir()
    checkpoint.save(bits, network, card)
    found = measure_network(
        network, mean=card.mean, std=card.std, device="cpu", **_timing(card, threads)
    )
    return size_mb(bits / checkpoint.WEIGHTS), found.latency_ms


def _timing(card: checkpoint.ModelConfig, threads: int) -> dict[str, Any]:
    return {
        "image_size_px": card.image_size_px, "batch_size": 1, "repeats": _REPEATS,
        "threads": threads, "rng": np.random.default_rng(0),
    }  # fmt: skip


def _timed(folders: Sequence[Path], threads: int, rounds: int) -> list[float]:
    """Medians of one image, ms."""
    times: list[list[float]] = [[] for _ in folders]
    for _ in range(rounds):
        for folder, measured in zip(folders, times, strict=True):
            card = checkpoint.read_card(folder / _NETWORK)
            found = measure_session(folder / _ONNX, **_timing(card, threads))
            measured.append(found.latency_ms)
    return [statistics.median(measured) for measured in times]


if __name__ == "__main__":
    main()
