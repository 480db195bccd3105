"""Probe features with a linear classifier: how well it tells the classes apart.

Source: G. Alain and Y. Bengio, 2016, "Understanding intermediate layers using linear classifier
probes". Ridge regression on the classes, since it is solved in closed form: nothing depends on
where an iteration stopped. On digits and Fashion-MNIST it found the same best block as logistic
regression, which took 1 to 30 s a block at 1,500 rows.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = 5
MAX_ROWS = 2000
"""Rows of a probe; a score of 0.9 is then known to 0.7 points."""
_ROWS_PER_CLASS = 10
_PENALTIES = (0.001, 0.01, 0.1, 1.0)
"""Ridge penalties per row, so over the variance of a feature. A few widely different ones: 32
features need less than 1280, and the best for each block makes blocks comparable."""

Fold = tuple[np.ndarray, np.ndarray]


def sample(
    labels: np.ndarray, groups: np.ndarray, rng: np.random.Generator, max_rows: int = MAX_ROWS
) -> np.ndarray:
    """Draw positions to probe, int64, ascending: all of each class, up to one limit.

    A class of fewer than FOLDS groups cannot be cross-validated and is left out. Where so many
    classes share max_rows that ten rows of each do not fit, a part of the classes is drawn.

    Args:
        labels: int64 (N,).
        groups: int64 (N,), equal for rows that must stay together; else all different.
        rng: source of the draws.
        max_rows: positions to draw at most.
    """
    by_class = [np.flatnonzero(labels == k) for k in np.unique(labels)]
    fit = [rows for rows in by_class if len(np.unique(groups[rows])) >= FOLDS]
    most = max_rows // _ROWS_PER_CLASS
    if len(fit) > most:
        fit = [fit[k] for k in np.sort(rng.permutation(len(fit))[:most])]
    limit = _limit(np.array([len(rows) for rows in fit]), max_rows)
    drawn = [np.empty(0, np.int64), *(rng.permutation(rows)[:limit] for rows in fit)]
    kept = np.sort(np.concatenate(drawn))
    at: np.ndarray = kept[_many_groups(labels[kept], groups[kept])]
    return at


def folds(labels: np.ndarray, groups: np.ndarray, seed: int) -> list[Fold]:
    """Split positions into folds, by class and with every group in one fold.

    Each fold is a pair of training and test positions.
    """
    grouped = len(np.unique(groups)) < len(groups)
    kind = StratifiedGroupKFold if grouped else StratifiedKFold
    splitter = kind(FOLDS, shuffle=True, random_state=seed)
    return list(splitter.split(labels, labels, groups if grouped else None))


def correct(features: np.ndarray, labels: np.ndarray, parts: Sequence[Fold]) -> np.ndarray:
    """Tell for each row whether a probe fitted without it predicts its class, bool (N,).

    The penalty with the best balanced accuracy counts, the stronger one among equals. `features`,
    float64 (N, D), are standardised on the rows that the probe is fitted on.
    """
    tried = [_correct(features, labels, parts, penalty) for penalty in reversed(_PENALTIES)]
    return max(tried, key=lambda right: balanced_accuracy(right, labels)[0])


def _correct(
    features: np.ndarray, labels: np.ndarray, parts: Sequence[Fold], penalty: float
) -> np.ndarray:
    right = np.zeros(len(labels), dtype=bool)
    for fitted, held_out in parts:
        ridge = RidgeClassifier(
            alpha=penalty * len(fitted), class_weight="balanced", solver="cholesky"
        )
        probe = make_pipeline(StandardScaler(), ridge).fit(features[fitted], labels[fitted])
        right[held_out] = probe.predict(features[held_out]) == labels[held_out]
    return right


def balanced_accuracy(right: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Average the recalls of the classes, with the standard error over the rows."""
    recalls = [right[labels == k] for k in np.unique(labels)]
    variance = sum(recall.var() / len(recall) for recall in recalls) / len(recalls) ** 2
    return float(np.mean([recall.mean() for recall in recalls])), float(np.sqrt(variance))


def _limit(sizes: np.ndarray, max_rows: int) -> int:
    """Find the largest number of rows per class with which all classes fit into max_rows."""
    limits = np.arange(1, max_rows + 1)
    totals = [np.minimum(sizes, limit).sum() for limit in limits]
    return int(np.searchsorted(totals, max_rows, side="right"))


def _many_groups(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Mark rows of the classes that still have a group for each fold, bool (N,)."""
    classes, at = np.unique(labels, return_inverse=True)
    enough = [len(np.unique(groups[labels == k])) >= FOLDS for k in classes]
    return np.array(enough, dtype=bool)[at]
