"""Predict validation rows with a trial's network: `python -m thawline.studies.judging STAGE OUT`.

A process of its own in the trial's workspace, as a stage is; it writes no output of DVC's.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from thawline.params import params_file
from thawline.pipeline.forkserver import client
from thawline.runtime import safe_json
from thawline.runtime.output_paths import INGEST, MODELS
from thawline.studies.scores import SCORES, ScoredRows, score

_ID_LENGTH = 16
_BATCH = 64


def judge(stage: str, threads: int) -> dict[str, Any]:
    """Predict with the stage's network, and score the predictions and the network.

    Returns:
        `values`: numbers by name; `rows`: see `scores.ScoredRows`.
    """
    from thawline.cost.memory import size_mb
    from thawline.dataset.manifest import Manifest

    folder, manifest = MODELS / stage, Manifest.read(INGEST)
    val = manifest.rows("val")
    predicted, values = _predict(folder, val, threads)
    labels = manifest.labels[val]
    rows = ScoredRows(
        ids=np.array([manifest.sha256[row][:_ID_LENGTH] for row in val]),
        labels=labels,
        predicted=predicted,
        rare=rarest(manifest.counts("train"), np.bincount(labels, minlength=len(manifest.classes))),
    )
    values |= {f"val_{name}": score(name, rows) for name in SCORES}
    values["size_mb"] = size_mb(_file(folder))
    values["val_rows"] = len(val)
    return {"values": values, "rows": rows.as_json()}


def rarest(train_counts: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Find the rarest third of the classes with scored rows, as `rare_recall` does.

    See `evaluation.accuracy.rare_recall`.

    Args:
        train_counts: training rows per class, int64 (K,).
        support: scored rows per class, int64 (K,).

    Returns:
        bool (K,).
    """
    by_count = np.argsort(train_counts, kind="stable")
    scored = by_count[support[by_count] > 0]
    mask = np.zeros(len(support), dtype=bool)
    mask[scored[: max(1, len(scored) // 3)]] = True
    return mask


def _predict(folder: Path, rows: np.ndarray, threads: int) -> tuple[np.ndarray, dict[str, float]]:
    """Predict each row's class, int64 (N,); add the counts of a PyTorch network."""
    from thawline.dataset.image_store import ImageStore

    images = ImageStore(INGEST).batches(rows, _BATCH)
    if (folder / _onnx()).exists():
        from thawline.cost import ort_session

        network = ort_session.session(folder / _onnx(), threads)
        found = np.concatenate([ort_session.predict(network, batch) for batch in images])
        return found.argmax(axis=1), _counted(Path("reports/compress/metrics.json"))
    import torch

    from thawline.cost.flops import num_macs, num_parameters
    from thawline.models import checkpoint
    from thawline.models.inference import probabilities

    torch.set_num_threads(threads)
    trained, card = checkpoint.load(folder)
    counts = {
        "parameters": float(num_parameters(trained)),
        "macs": float(num_macs(trained, card.image_size_px)),
    }
    return probabilities(trained, images, card).argmax(axis=1), counts


def _counted(path: Path) -> dict[str, float]:
    known = safe_json.loads(path.read_text(encoding="utf-8"))
    return {name: float(known[name]) for name in ("parameters", "macs") if name in known}


def _onnx() -> str:
    from thawline.evaluation.evaluate_checkpoint import ONNX

    return ONNX


def _file(folder: Path) -> Path:
    """Return the smallest file that holds the network.

    Binary layers are stored as bits in a checkpoint alone.
    """
    from thawline.models.checkpoint import WEIGHTS

    found = [path for name in (_onnx(), WEIGHTS) if (path := folder / name).exists()]
    return min(found, key=lambda path: path.stat().st_size)


def main(stage: str, out: str) -> None:
    found = judge(stage, params_file.load().training.threads)
    Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    client.hand_over_program("thawline.studies.judging")
    main(*sys.argv[1:])
