"""What a network is worth if it may say "I do not know" where its answer is the least certain."""

from dataclasses import dataclass

import numpy as np

from thawline.metrics.classification import Floats, Ints, check

COVERAGE = 0.8
"""The share of images for which metrics.json states the accuracy."""


@dataclass(frozen=True, kw_only=True)
class RiskCoverage:
    """Accuracy on the surest images, for every number of them."""

    coverage: Floats
    """Share of the images that are answered, float64 (N,), ascending to 1."""
    accuracy: Floats
    """On those, float64 (N,)."""
    threshold: Floats
    """Entropy of the least certain of those, nats, float64 (N,), ascending."""

    @property
    def aurc(self) -> float:
        """Area under risk against coverage, in [0, 1]; 0 is the best (Geifman et al., 2019)."""
        return float((1 - self.accuracy).mean())

    def at(self, coverage: float) -> float:
        """Accuracy on the surest share of the images, at least one."""
        return float(self.accuracy[max(0, round(coverage * len(self.coverage)) - 1)])

    def headline(self) -> dict[str, float]:
        return {
            "mean_entropy": float(self.mean_entropy),
            "aurc": self.aurc,
            f"accuracy_at_{COVERAGE * 100:.0f}_coverage": self.at(COVERAGE),
        }

    @property
    def mean_entropy(self) -> float:
        """Nats."""
        return float(self.threshold.mean())


def entropy(probabilities: Floats) -> Floats:
    """Of the predicted distribution, nats, float64 (N,), in [0, log K]."""
    values = probabilities.astype(np.float64)
    logs = np.log(values, out=np.zeros_like(values), where=values > 0)
    found: Floats = np.maximum(-(values * logs).sum(axis=1), 0.0)
    return found


def risk_coverage(probabilities: Floats, labels: Ints) -> RiskCoverage:
    """Answer the images in the order of their entropy; equal ones in the order they came.

    Args:
        probabilities: float32 (N, K), rows summing to 1.
        labels: true class ids, int64 (N,), in [0, K).

    Raises:
        ValueError: as `accuracy.score`.
    """
    check(probabilities, labels)
    doubt = entropy(probabilities)
    order = np.argsort(doubt, kind="stable")
    right = (probabilities.argmax(axis=1) == labels)[order]
    answered = np.arange(1, len(labels) + 1)
    return RiskCoverage(
        coverage=answered / len(labels),
        accuracy=np.cumsum(right) / answered,
        threshold=doubt[order],
    )
