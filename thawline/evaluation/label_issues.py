"""Find labels that are likely wrong, by confident learning.

Source: C. Northcutt, L. Jiang, I. Chuang, 2021, "Confident learning: estimating uncertainty in
dataset labels".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thawline.dataset.manifest import Manifest
from thawline.runtime.output_paths import write_csv


@dataclass(frozen=True, kw_only=True)
class LabelIssue:
    """A row of the manifest whose label the network credibly contradicts."""

    row: int
    label: int
    proposed: int
    confidence: float
    """Probability of the proposed class."""


def find(
    rows: NDArray[np.int64], labels: NDArray[np.int64], probabilities: NDArray[np.floating]
) -> list[LabelIssue]:
    """Find likely label errors, the most suspicious first.

    Args:
        rows: rows of the manifest, int64 (N,), none of which the network was trained on.
        labels: int64 (N,).
        probabilities: float32 (N, K).
    """
    from cleanlab.filter import find_label_issues

    # Classes without a row would make it fail; they cannot be a wrong label either.
    present = np.unique(labels)
    if len(present) < 2:
        return []
    known = probabilities[:, present].astype(np.float64)
    known /= np.maximum(known.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    ranked = find_label_issues(
        np.searchsorted(present, labels), known,
        return_indices_ranked_by="self_confidence", n_jobs=1,
    )  # fmt: skip
    found = [
        LabelIssue(
            row=int(rows[at]),
            label=int(labels[at]),
            proposed=int(probabilities[at].argmax()),
            confidence=float(probabilities[at].max()),
        )
        for at in ranked
    ]
    return [issue for issue in found if issue.proposed != issue.label]


def write(path: Path, issues: Sequence[LabelIssue], manifest: Manifest) -> None:
    """Write issues in the form of data/label_fixes.csv, to which rows can be copied."""
    write_csv(
        path,
        ("image", "label", "was"),
        [
            (manifest.names[i.row], manifest.classes[i.proposed], manifest.classes[i.label])
            for i in issues
        ],
    )
