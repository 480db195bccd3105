"""Scores of predicted classes in which each row may count more or less than once.

The pipeline's own scores take probabilities and count each row once; a bootstrap draws rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ScoredRows:
    """What one network said of the validation rows.

    Attributes:
        ids: of each row, equal in every trial that has it, str (N,).
        labels: int64 (N,).
        predicted: int64 (N,).
        rare: whether a class is in the rarest third of the training rows, bool (K,).
    """

    ids: NDArray[np.str_]
    labels: Ints
    predicted: Ints
    rare: NDArray[np.bool_]

    def confusion(self, weights: Floats | None = None) -> Floats:
        """Weight of each pair of true and predicted class, float64 (K, K)."""
        number = len(self.rare)
        pairs = self.labels * number + self.predicted
        counts = np.bincount(pairs, weights, minlength=number * number)
        return counts.reshape(number, number).astype(np.float64)

    def as_json(self) -> dict[str, Any]:
        return {
            name: getattr(self, name).tolist() for name in ("ids", "labels", "predicted", "rare")
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        return cls(
            ids=np.asarray(values["ids"], dtype=np.str_),
            labels=np.asarray(values["labels"], dtype=np.int64),
            predicted=np.asarray(values["predicted"], dtype=np.int64),
            rare=np.asarray(values["rare"], dtype=bool),
        )


def score(name: str, rows: ScoredRows, weights: Floats | None = None) -> float:
    """One of SCORES, in [0, 1].

    Args:
        weights: how often each row counts, float64 (N,); once if absent.
    """
    return SCORES[name](rows.confusion(weights), rows.rare)


def _accuracy(confusion: Floats, rare: NDArray[np.bool_]) -> float:  # noqa: ARG001
    return float(np.trace(confusion) / confusion.sum())


def _macro_f1(confusion: Floats, rare: NDArray[np.bool_]) -> float:  # noqa: ARG001
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    seen = total > 0
    return float((2 * np.diag(confusion)[seen] / total[seen]).mean())


def _balanced_accuracy(confusion: Floats, rare: NDArray[np.bool_]) -> float:
    return _rare_recall(confusion, np.ones_like(rare))


def _rare_recall(confusion: Floats, rare: NDArray[np.bool_]) -> float:
    """After Liu et al., 2019; 0 where no row of a rare class was drawn."""
    support = confusion.sum(axis=1)
    seen = rare & (support > 0)
    return float((np.diag(confusion)[seen] / support[seen]).mean()) if seen.any() else 0.0


SCORES: dict[str, Callable[[Floats, NDArray[np.bool_]], float]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "balanced_accuracy": _balanced_accuracy,
    "rare_recall": _rare_recall,
}
