"""Score predicted classes, with each row counted more or less than once.

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
    """Predictions of one network for the validation rows.

    Attributes:
        ids: id of each row, equal in every trial that has it, str (N,).
        labels: int64 (N,).
        predicted: int64 (N,).
        rare: True for classes in the rarest third of the training rows, bool (K,).
    """

    ids: NDArray[np.str_]
    labels: Ints
    predicted: Ints
    rare: NDArray[np.bool_]

    def confusion(self, weights: Floats | None = None) -> Floats:
        """Sum the weights of each pair of true and predicted class, float64 (K, K)."""
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
    """Compute one of SCORES, in [0, 1].

    Args:
        name: a key of SCORES.
        rows: the predictions.
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
    """Compute the mean recall of the rare classes; 0 where none of their rows was drawn.

    After Liu et al., 2019.
    """
    support = confusion.sum(axis=1)
    seen = rare & (support > 0)
    return float((np.diag(confusion)[seen] / support[seen]).mean()) if seen.any() else 0.0


SCORES: dict[str, Callable[[Floats, NDArray[np.bool_]], float]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "balanced_accuracy": _balanced_accuracy,
    "rare_recall": _rare_recall,
}
