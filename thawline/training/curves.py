"""Read what a training stage recorded: each of its epochs, and the weights that it kept."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thawline.metrics.classification import Floats
from thawline.runtime import safe_json
from thawline.runtime.output_paths import intact

FILE = "curves.csv"
_METRICS = "metrics.json"
SCORES = ("val_loss", "val_accuracy", "val_macro_f1")


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Curves of one training.

    Attributes:
        epochs: columns of curves.csv, float64 (num_epochs,) each; NaN where a cell is empty.
        best_epoch: number of the epoch whose weights were kept, from 1; 0 for the weights that
            training began with.
        kept: scores of the weights that were kept, by the names in SCORES.
        start: scores of the weights that training began with; empty where nobody judged them.
    """

    epochs: Mapping[str, Floats]
    best_epoch: int
    kept: Mapping[str, float]
    start: Mapping[str, float]

    @property
    def num_epochs(self) -> int:
        """Number of epochs that were trained."""
        return len(self.epochs.get("epoch", ()))

    @property
    def kept_start(self) -> bool:
        """True where epochs were trained and all of them discarded."""
        return self.best_epoch == 0 and self.num_epochs > 0

    @property
    def reached(self) -> float:
        """Highest validation macro-F1 of an epoch; NaN where none has one."""
        scores = self.epochs.get("val_macro_f1", np.empty(0))
        known = scores[np.isfinite(scores)]
        return float(known.max()) if len(known) else float("nan")


def read(folder: Path) -> Curves:
    """Read curves.csv and metrics.json of a training stage's reports.

    Raises:
        UserError: a file is missing or damaged.
    """
    with intact(folder / FILE):
        epochs = _columns(folder / FILE)
    with intact(folder / _METRICS):
        metrics = safe_json.loads((folder / _METRICS).read_text(encoding="utf-8"))
        best_epoch = int(metrics["best_epoch"])
        kept = {key: float(metrics[key]) for key in SCORES}
        start = {key: float(metrics[name]) for key in SCORES if (name := f"start_{key}") in metrics}
    return Curves(
        epochs=epochs,
        best_epoch=best_epoch,
        kept=kept,
        start=kept if best_epoch == 0 else start,
    )


def describe(curves: Curves) -> str:
    """Say in half a sentence that a training was discarded; empty where it was not."""
    if not curves.kept_start:
        return ""
    return (
        "kept the weights that it began with: their validation macro-F1 is "
        f"{curves.kept['val_macro_f1']:.3f}, and training reached {curves.reached:.3f}"
    )


def _columns(path: Path) -> dict[str, Floats]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    return {
        key: np.array([float(row[key] or "nan") for row in rows]) for key in reader.fieldnames or ()
    }
