"""Score every checkpoint of the pipeline on the same rows, and measure what each costs."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from thawline.cost import hardware, latency, memory
from thawline.cost import ort_session as onnx
from thawline.cost.flops import num_macs, num_parameters
from thawline.dataset.image_store import ImageStore
from thawline.metrics import temperature
from thawline.metrics.calibration import Reliability, reliability
from thawline.metrics.classification import (
    Scores,
    bootstrap_interval,
    negative_log_likelihood,
    rare_classes,
    rare_recall,
    score,
)
from thawline.metrics.intervals import brier_scores, intervals
from thawline.metrics.ranking import Ranking, rank
from thawline.metrics.selective_prediction import RiskCoverage, risk_coverage
from thawline.models import checkpoint
from thawline.models.inference import probabilities
from thawline.runtime.progress import track

ONNX = "model.onnx"
"""Name of the file by which a folder with an exported network is scored."""
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Scores of one checkpoint on the test rows.

    Attributes:
        probabilities: float32 (N, num_classes).
        validation: probabilities of the validation rows, float32 (M, num_classes); those of
            `tuning` for a checkpoint that has seen the rows.
        metrics: its entries of metrics.json, the same on every run.
    """

    probabilities: np.ndarray
    validation: np.ndarray
    scores: Scores
    reliability: Reliability
    ranking: Ranking
    risk_coverage: RiskCoverage
    metrics: Mapping[str, float]


def judge(
    path: Path,
    store: ImageStore,
    rows: np.ndarray,
    labels: np.ndarray,
    *,
    validation: tuple[np.ndarray, np.ndarray],
    tuning: np.ndarray | None = None,
    train_counts: np.ndarray,
    threads: int,
    calibration_bins: int,
    bootstrap_samples: int,
    seed: int,
) -> Judged:
    """Predict the given rows with one checkpoint and score the predictions.

    Args:
        path: a checkpoint of the training stages, a folder with model.onnx, or an ONNX file.
        store: the packed images.
        rows: rows of the store, int64 (N,).
        labels: int64 (N,).
        validation: rows and labels, int64 (M,) each, on which the temperature is fitted.
        tuning: predictions for the validation rows by a model that has not seen them, for a
            checkpoint that has, float32 (M, num_classes).
        train_counts: training rows per class before rebalancing, int64 (num_classes,).
        threads: threads of an ONNX network.
        calibration_bins: bins of the expected calibration error.
        bootstrap_samples: resamples of the confidence intervals.
        seed: seed of the bootstrap.
    """
    network = None if is_onnx(path) else checkpoint.load(path)
    asked = rows if tuning is not None else np.concatenate([rows, validation[0]])
    batches = store.batches(asked, _BATCH)
    if network is None:
        found = predict(path, batches, threads=threads)
    else:
        found = probabilities(network[0], batches, network[1])
    predicted = found[: len(rows)]
    tuning = found[len(rows) :] if tuning is None else tuning
    honest = temperature.fit(tuning, validation[1], spread=temperature.SPREAD)
    scores = score(predicted, labels)
    table = reliability(predicted, labels, num_bins=calibration_bins)
    ranking, answered = rank(predicted, labels), risk_coverage(predicted, labels)
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
        "brier": float(brier_scores(predicted, labels).mean()),
        **ranking.headline(),
        **answered.headline(),
        **_scaled(predicted, labels, honest, calibration_bins),
        **_bounds(predicted, labels, scores, train_counts, bootstrap_samples, seed),
        "size_mb": memory.size_mb(weights_of(path)),
    }
    if network is not None:
        metrics["parameters"] = num_parameters(network[0])
        metrics["macs"] = num_macs(network[0], network[1].image_size_px)
    return Judged(
        probabilities=predicted,
        validation=tuning,
        scores=scores,
        reliability=table,
        ranking=ranking,
        risk_coverage=answered,
        metrics=metrics,
    )


def _scaled(
    predicted: np.ndarray, labels: np.ndarray, found: float, calibration_bins: int
) -> dict[str, float]:
    """Score the test rows at the temperature fitted on the validation rows."""
    scaled = temperature.scale(predicted, found)
    return {
        "temperature": found,
        "nll_scaled": negative_log_likelihood(scaled, labels),
        "ece_scaled": reliability(scaled, labels, num_bins=calibration_bins).error,
    }


def _bounds(
    predicted: np.ndarray,
    labels: np.ndarray,
    scores: Scores,
    train_counts: np.ndarray,
    bootstrap_samples: int,
    seed: int,
) -> dict[str, float]:
    found = intervals(
        predicted,
        labels,
        rare=rare_classes(scores.support, train_counts),
        rng=np.random.default_rng((seed, 1)),
        resamples=bootstrap_samples,
    )
    return {
        f"{name}_{end}": bound
        for name, ends in found.items()
        for end, bound in zip(("low", "high"), ends, strict=True)
    }


def costs(paths: Mapping[str, Path], **how: Any) -> dict[str, dict[str, Any]]:
    """Measure the cost of each checkpoint, by its name; arguments as for `cost`.

    Checkpoints of one network differ in their weights only: it is measured once, since loading
    PyTorch into a process of its own takes longer than everything else here.
    """
    known: dict[tuple[str, str], dict[str, Any]] = {}
    found = {}
    for name, path in track(paths.items(), "timing", total=len(paths)):
        network = (card_of(path).model_dump_json(), weights_of(path).name)
        if network not in known:
            known[network] = cost(path, **how)
        found[name] = known[network]
    return found


def cost(
    path: Path, *, repeats: int, batch_size: int, threads: int, device: str, seed: int
) -> dict[str, Any]:
    """Time a checkpoint and measure the memory of a process that only runs it."""
    card = card_of(path)
    common = {"image_size_px": card.image_size_px, "threads": threads, "batch_size": batch_size}
    timing: dict[str, Any] = {"repeats": repeats, "rng": np.random.default_rng(seed), **common}
    if is_onnx(path):
        device = "cpu"
        timed = latency.measure_session(weights_of(path), **timing)
    else:
        network, _ = checkpoint.load(path)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        timed = latency.measure_network(
            network, mean=card.mean, std=card.std, device=device, **timing
        )
    model = weights_of(path) if is_onnx(path) else path
    peak = memory.peak_memory(
        model, image_size_px=card.image_size_px, threads=threads, device=device
    )
    return {
        "runtime": "ONNX Runtime" if is_onnx(path) else "PyTorch, eager",
        **({} if device == "cpu" else {"gpu": hardware.gpu_name(device)}),
        "threads": threads,
        **asdict(timed),
        "peak_memory_mb": peak.peak_mb,
        "runtime_memory_mb": peak.runtime_mb,
    }


def predict(path: Path, images: Iterable[np.ndarray], *, threads: int) -> np.ndarray:
    """Predict batches uint8 (B, S, S, 3) with a checkpoint: probabilities, float32 (N, K)."""
    if is_onnx(path):
        session = onnx.session(weights_of(path), threads)
        return np.concatenate([onnx.predict(session, batch) for batch in images])
    network, card = checkpoint.load(path)
    return probabilities(network, images, card)


def is_onnx(path: Path) -> bool:
    return path.suffix == ".onnx" or (path / ONNX).exists()


def weights_of(path: Path) -> Path:
    """Return the weights file of a checkpoint, which is that file or its folder."""
    if path.suffix == ".onnx":
        return path
    return path / (ONNX if is_onnx(path) else checkpoint.WEIGHTS)


def card_of(path: Path) -> checkpoint.ModelConfig:
    """Read the configuration of a checkpoint, or of an exported file, from its folder."""
    return checkpoint.read_card(path.parent if path.suffix == ".onnx" else path)
