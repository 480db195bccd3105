"""Leave out rows by a trunk's features of them; through imbalanced-learn, on positions."""

from typing import Any, Protocol

import numpy as np


class Sampler(Protocol):
    """Under-sampler of imbalanced-learn that names the rows it keeps."""

    sample_indices_: Any

    def fit_resample(self, X: Any, y: Any) -> Any: ...


def kept(sampler: Sampler, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """List the positions that a sampler keeps, int64 ascending.

    `features` are float32 (N, D), `labels` int64 (N,).
    """
    sampler.fit_resample(features, labels)
    return np.sort(np.asarray(sampler.sample_indices_, dtype=np.int64))


def shrunk(labels: np.ndarray, num_classes: int, max_ratio: float) -> dict[int, int]:
    """Limit classes to max_ratio times the rarest's rows: rows by class, where there are more."""
    counts = np.bincount(labels, minlength=num_classes)
    most = int(max_ratio * counts[counts > 0].min())
    return {int(k): most for k in np.flatnonzero(counts > most)}


def spared(
    positions: np.ndarray, labels: np.ndarray, num_classes: int, min_kept_ratio: float
) -> tuple[np.ndarray, str]:
    """Undo the cleaning of classes that would lose too much: it can take a class's last row.

    Args:
        positions: rows that a sampler keeps.
        labels: int64 (N,), of all rows.
        num_classes: K.
        min_kept_ratio: a class of which a smaller share would remain stays whole.

    Returns:
        Positions, int64 ascending, and one line that says how much went.
    """
    before = np.bincount(labels, minlength=num_classes)
    after = np.bincount(labels[positions], minlength=num_classes)
    whole = np.flatnonzero(after < min_kept_ratio * before)
    result = np.union1d(positions, np.flatnonzero(np.isin(labels, whole)))
    stay = f"; {len(whole)} class(es) stay whole: too little would remain" if len(whole) else ""
    return result, f"{len(labels) - len(result)} of {len(labels)} rows left out{stay}"
