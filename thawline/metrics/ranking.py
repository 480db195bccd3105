"""Score how well probabilities order classes within an image and images within a class."""

from dataclasses import dataclass

import numpy as np

from thawline.metrics.classification import Floats, Ints, check

TOP = (2, 3, 4, 5)


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Ranking scores; every ratio in [0, 1]."""

    top: dict[int, float]
    """Share of rows whose class is among the k likeliest, by k; only k below the class count."""
    roc_auc: Floats
    """Area under the ROC curve per class, one against the rest, float64 (K,); NaN for a class that
    no row, or every row, belongs to."""
    average_precision: Floats
    """Area under precision against recall by steps, per class, float64 (K,); NaN as above."""

    def headline(self) -> dict[str, float]:
        """Return top-k and the means over defined classes, by their names in metrics.json."""
        found = {f"top_{k}_accuracy": share for k, share in self.top.items()}
        for name, values in (
            ("roc_auc", self.roc_auc),
            ("average_precision", self.average_precision),
        ):
            if np.isfinite(values).any():
                found[f"macro_{name}"] = float(np.nanmean(values))
        return found


def rank(probabilities: Floats, labels: Ints) -> Ranking:
    """Rank classes and rows; of equal probabilities the lower class id comes first.

    Args:
        probabilities: float32 (N, K), rows summing to 1.
        labels: true class ids, int64 (N,), in [0, K).

    Raises:
        ValueError: see `classification.score`.
    """
    check(probabilities, labels)
    num_classes = probabilities.shape[1]
    place = _place_of_truth(probabilities, labels)
    roc_auc, average_precision = _areas(probabilities, labels)
    return Ranking(
        top={k: float((place < k).mean()) for k in TOP if k < num_classes},
        roc_auc=roc_auc,
        average_precision=average_precision,
    )


def _place_of_truth(probabilities: Floats, labels: Ints) -> Ints:
    """Count the classes that come before the true one, int64 (N,)."""
    of_truth = probabilities[np.arange(len(labels)), labels][:, None]
    lower_id = np.arange(probabilities.shape[1]) < labels[:, None]
    before = (probabilities > of_truth) | ((probabilities == of_truth) & lower_id)
    place: Ints = before.sum(axis=1)
    return place


def _areas(probabilities: Floats, labels: Ints) -> tuple[Floats, Floats]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    num_classes = probabilities.shape[1]
    support = np.bincount(labels, minlength=num_classes)
    roc_auc, average_precision = np.full((2, num_classes), np.nan)
    for k in np.flatnonzero((support > 0) & (support < len(labels))):
        of_class = labels == k
        roc_auc[k] = roc_auc_score(of_class, probabilities[:, k])
        average_precision[k] = average_precision_score(of_class, probabilities[:, k])
    return roc_auc, average_precision
