"""Measure calibration: whether a predicted probability of 0.9 is right nine times in ten."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thawline.metrics.classification import Floats, Ints, check


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Predictions grouped by confidence, the probability of the predicted class; arrays (bins,)."""

    edges: Floats
    """Bin m holds confidences in (edges[m], edges[m + 1]]; float64 (bins + 1,)."""
    count: Ints
    confidence: Floats
    """Mean confidence; NaN in an empty bin."""
    accuracy: Floats
    """Share of correct predictions; NaN in an empty bin."""

    @property
    def error(self) -> float:
        """Expected calibration error in [0, 1]: |accuracy - confidence|, weighted by count."""
        gap = np.nan_to_num(np.abs(self.accuracy - self.confidence))
        return float((gap * self.count).sum() / self.count.sum())

    def rows(self) -> list[dict[str, float | int | None]]:
        """List a row per bin, as in reliability.csv; None where the bin is empty."""
        return [
            {
                "low": float(self.edges[i]),
                "high": float(self.edges[i + 1]),
                "count": int(self.count[i]),
                "confidence": float(self.confidence[i]) if self.count[i] else None,
                "accuracy": float(self.accuracy[i]) if self.count[i] else None,
            }
            for i in range(len(self.count))
        ]


def reliability(probabilities: Floats, labels: Ints, *, num_bins: int = 15) -> Reliability:
    """Group predictions into equal-width bins of confidence.

    Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, 2017, "On calibration of modern neural
    networks", equations 2 and 3, with their 15 bins.

    Args:
        probabilities: float32 (N, K), rows summing to 1.
        labels: true class ids, int64 (N,), in [0, K).
        num_bins: number of bins.

    Raises:
        ValueError: see `classification.score`, or num_bins below 1.
    """
    check(probabilities, labels)
    if num_bins < 1:
        raise ValueError(f"num_bins must be at least 1, not {num_bins}")
    confidence = np.minimum(probabilities.max(axis=1).astype(np.float64), 1.0)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, num_bins + 1)
    bins = np.searchsorted(edges, confidence, side="left") - 1
    count = np.bincount(bins, minlength=num_bins)
    return Reliability(
        edges=edges,
        count=count,
        confidence=_mean(np.bincount(bins, confidence, num_bins), count),
        accuracy=_mean(np.bincount(bins, right, num_bins), count),
    )


def _mean(total: NDArray[np.number], count: Ints) -> NDArray[np.float64]:
    mean = np.full(len(count), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean
