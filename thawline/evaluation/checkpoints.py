"""Score every checkpoint of the pipeline on the same rows, and count and time what each costs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from thawline import checkpoint
from thawline.compress import session as onnx
from thawline.data.store import ImageStore
from thawline.evaluation import memory, speed
from thawline.evaluation.accuracy import Scores, bootstrap_interval, rare_recall, score
from thawline.evaluation.calibration import Reliability, reliability
from thawline.evaluation.complexity import num_macs, num_parameters
from thawline.inference import probabilities
from thawline.progress import track

ONNX = "model.onnx"
"""What a folder with an exported network is scored by."""
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One checkpoint on the test rows.

    Attributes:
        probabilities: float32 (N, num_classes).
        metrics: what metrics.json holds of it, the same on every run.
    """

    probabilities: np.ndarray
    scores: Scores
    reliability: Reliability
    metrics: Mapping[str, float]


def judge(
    path: Path,
    store: ImageStore,
    rows: np.ndarray,
    labels: np.ndarray,
    *,
    train_counts: np.ndarray,
    threads: int,
    calibration_bins: int,
    bootstrap_samples: int,
    seed: int,
) -> Judged:
    """Predict the given rows with one checkpoint and score the predictions.

    Args:
        path: a checkpoint of the training stages, a folder with model.onnx, or an ONNX file.
        rows: of the store, int64 (N,); labels: int64 (N,).
        train_counts: training rows per class before rebalancing, int64 (num_classes,).
        seed: of the bootstrap.
    """
    network = None if is_onnx(path) else checkpoint.load(path)
    if network is None:
        predicted = _predict_onnx(weights_of(path), store, rows, threads)
    else:
        predicted = probabilities(network[0], store.batches(rows, _BATCH), network[1])
    scores = score(predicted, labels)
    table = reliability(predicted, labels, num_bins=calibration_bins)
    low, high = bootstrap_interval(
        predicted.argmax(axis=1) == labels,
        rng=np.random.default_rng(seed),
        resamples=bootstrap_samples,
    )
    metrics = {
        "num_images": len(rows),
        **scores.headline(),
        "rare_recall": rare_recall(scores.recall, scores.support, train_counts),
        "accuracy_low": low,
        "accuracy_high": high,
        "ece": table.error,
        "size_mb": memory.size_mb(weights_of(path)),
    }
    if network is not None:
        metrics["parameters"] = num_parameters(network[0])
        metrics["macs"] = num_macs(network[0], network[1].image_size_px)
    return Judged(probabilities=predicted, scores=scores, reliability=table, metrics=metrics)


def costs(paths: Mapping[str, Path], **how: Any) -> dict[str, dict[str, Any]]:
    """What each checkpoint costs, by its name; arguments as for `cost`.

    Checkpoints of one network differ in their weights only: it is measured once, since loading
    PyTorch into a process of its own takes longer than everything else here.
    """
    known: dict[tuple[str, str], dict[str, Any]] = {}
    found = {}
    for name, path in track(paths.items(), "timing", total=len(paths)):
        network = (_card(path).model_dump_json(), weights_of(path).name)
        if network not in known:
            known[network] = cost(path, **how)
        found[name] = known[network]
    return found


def cost(
    path: Path, *, repeats: int, batch_size: int, threads: int, device: str, seed: int
) -> dict[str, Any]:
    """Time a checkpoint and measure the memory of a process that only runs it."""
    card = _card(path)
    common = {"image_size_px": card.image_size_px, "threads": threads, "batch_size": batch_size}
    timing: dict[str, Any] = {"repeats": repeats, "rng": np.random.default_rng(seed), **common}
    if is_onnx(path):
        device = "cpu"
        timed = speed.measure_session(weights_of(path), **timing)
    else:
        network, _ = checkpoint.load(path)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        timed = speed.measure_network(
            network, mean=card.mean, std=card.std, device=device, **timing
        )
    model = weights_of(path) if is_onnx(path) else path
    peak = memory.peak_memory(
        model, image_size_px=card.image_size_px, threads=threads, device=device
    )
    return {
        **asdict(timed),
        "peak_memory_mb": peak.peak_mb,
        "runtime_memory_mb": peak.runtime_mb,
    }


def is_onnx(path: Path) -> bool:
    return path.suffix == ".onnx" or (path / ONNX).exists()


def weights_of(path: Path) -> Path:
    """The file with the weights of a checkpoint, which is that file or its folder."""
    if path.suffix == ".onnx":
        return path
    return path / (ONNX if is_onnx(path) else checkpoint.WEIGHTS)


def _card(path: Path) -> checkpoint.ModelCard:
    return checkpoint.read_card(path.parent if path.suffix == ".onnx" else path)


def _predict_onnx(path: Path, store: ImageStore, rows: np.ndarray, threads: int) -> np.ndarray:
    network = onnx.session(path, threads)
    return np.concatenate([onnx.predict(network, b) for b in store.batches(rows, _BATCH)])
