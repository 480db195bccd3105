"""Score a network that may say "I do not know" where its answer is the least certain."""

from dataclasses import dataclass

import numpy as np

from thawline.metrics.classification import Floats, Ints, check

COVERAGE = 0.8
"""Share of images for which metrics.json states the accuracy."""


@dataclass(frozen=True, kw_only=True)
class RiskCoverage:
    """Accuracy on the most certain images, for every number of them."""

    coverage: Floats
    """Share of the images that are answered, float64 (N,), ascending to 1."""
    accuracy: Floats
    """Accuracy on those, float64 (N,)."""
    threshold: Floats
    """Entropy of the least certain of those, in nats, float64 (N,), ascending."""

    @property
    def aurc(self) -> float:
        """Area under risk against coverage, in [0, 1]; 0 is the best (Geifman et al., 2019)."""
        return float((1 - self.accuracy).mean())

    def at(self, coverage: float) -> float:
        """Return the accuracy on the most certain share of the images, at least one."""
        return float(self.accuracy[max(0, round(coverage * len(self.coverage)) - 1)])

    def headline(self) -> dict[str, float]:
        """Return mean entropy, AURC and accuracy at COVERAGE, by their names in metrics.json."""
        return {
            "mean_entropy": float(self.mean_entropy),
            "aurc": self.aurc,
            f"accuracy_at_{COVERAGE * 100:.0f}_coverage": self.at(COVERAGE),
        }

    @property
    def mean_entropy(self) -> float:
        """Mean entropy of the predictions, in nats."""
        return float(self.threshold.mean())


def entropy(probabilities: Floats) -> Floats:
    """Compute the entropy of predicted distributions, in nats, float64 (N,), in [0, log K]."""
    values = probabilities.astype(np.float64)
    logs = np.log(values, out=np.zeros_like(values), where=values > 0)
    found: Floats = np.maximum(-(values * logs).sum(axis=1), 0.0)
    return found


def risk_coverage(probabilities: Floats, labels: Ints) -> RiskCoverage:
    """Compute risk against coverage: images by entropy, equal ones in the order they came.

    Args:
        probabilities: float32 (N, K), rows summing to 1.
        labels: true class ids, int64 (N,), in [0, K).

    Raises:
        ValueError: see `classification.score`.
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
