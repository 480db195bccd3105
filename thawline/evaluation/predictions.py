"""Write predictions as tables: one row per test image, and what DVC plots."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thawline.dataset.manifest import Manifest
from thawline.evaluation.evaluate_checkpoint import Judged
from thawline.runtime.escape import escape
from thawline.runtime.output_paths import write_csv

_CURVE_POINTS = 200


def write(
    path: Path, manifest: Manifest, rows: np.ndarray, probabilities: Mapping[str, np.ndarray]
) -> None:
    """Write row, image, true class, and per checkpoint the probability of every class.

    Args:
        path: a Parquet file.
        manifest: the data set.
        rows: rows of the manifest, int64 (N,).
        probabilities: float32 (N, num_classes) per checkpoint.
    """
    columns: dict[str, pa.Array] = {
        "row": pa.array(rows, pa.int64()),
        "sha256": pa.array([manifest.sha256[row] for row in rows]),
        "label": pa.array(manifest.labels[rows], pa.int32()),
    }
    for name, values in probabilities.items():
        columns[name] = pa.array(list(values.astype(np.float32)), pa.list_(pa.float32()))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, compression="zstd")


def write_plots(folder: Path, manifest: Manifest, rows: np.ndarray, final: Judged) -> None:
    """Write the tables for `dvc plots`: confusion, per_class, reliability, risk_coverage."""
    names = [escape(name, 60) for name in manifest.classes]
    predicted = final.probabilities.argmax(axis=1)
    pairs = zip(manifest.labels[rows], predicted, strict=True)
    write_csv(
        folder / "confusion.csv",
        ("actual", "predicted"),
        [(names[actual], names[guess]) for actual, guess in pairs],
    )
    scores, ranking = final.scores, final.ranking
    ratios = (
        scores.precision, scores.recall, scores.f1, ranking.roc_auc, ranking.average_precision,
    )  # fmt: skip
    write_csv(
        folder / "per_class.csv",
        ("class", "precision", "recall", "f1", "roc_auc", "average_precision", "support"),
        [
            (name, *map(_decimals, of_class), int(support))
            for name, *of_class, support in zip(names, *ratios, scores.support, strict=True)
        ],
    )
    answered = final.risk_coverage
    at = np.unique(np.linspace(0, len(answered.coverage) - 1, _CURVE_POINTS).round().astype(int))
    write_csv(
        folder / "risk_coverage.csv",
        ("coverage", "accuracy", "entropy"),
        [
            tuple(f"{v[i]:.6f}" for v in (answered.coverage, answered.accuracy, answered.threshold))
            for i in at
        ],
    )
    bins = [row for row in final.reliability.rows() if row["count"]]
    write_csv(
        folder / "reliability.csv",
        ("confidence", "accuracy", "count"),
        [(f"{b['confidence']:.6f}", f"{b['accuracy']:.6f}", b["count"]) for b in bins],
    )


def _decimals(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6f}"
