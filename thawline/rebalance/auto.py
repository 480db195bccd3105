"""Choose the strategy by how unequal the classes are and how few rows the rarest has.

The first rule that fits, with r = commonest / rarest class and n = rows of the rarest:

1. r at most 1.5: `none`. There is nothing to gain.
2. r at most 5 and n at least 100: `class_weights`. Weights this mild do not make the gradient
   noisy, every few batches hold a rare row, and an epoch grows by nothing.
3. Full balance makes an epoch at most 3 times as long: `oversample`, which Buda, Maki and
   Mazurowski, 2018, "A systematic study of the class imbalance problem in convolutional neural
   networks", found best in most cases. A class grows at most 50-fold, so with r above 50
   `target_ratio` is 50 / r: a few images repeated hundreds of times are learnt by heart.
4. Otherwise, a long tail of many classes: `hybrid` at the mean size.

The thresholds are rules of thumb: compare the choice with others on your own data. `reason` names
the strategy and the option that give the same plan.
"""

from typing import Literal

import numpy as np

from thawline.rebalance._plan import Plan
from thawline.rebalance._resampling import resample

_NEARLY_EQUAL = 1.5
_MILD = 5.0
_ENOUGH_ROWS = 100
_MAX_GROWTH = 3.0
MAX_GROWTH_OF_A_CLASS = 50

Choice = Literal["none", "class_weights", "oversample", "hybrid"]


def plan(labels: np.ndarray, num_classes: int, *, rng: np.random.Generator) -> Plan:
    """Plan by the strategy that fits, and say which and why.

    Args:
        labels: class id per training row, int64 (N,), each of num_classes at least once.
        num_classes: K.
        rng: the only source of randomness.
    """
    counts = np.bincount(labels, minlength=num_classes)
    choice, because = choose(counts)
    ratio = counts.max() / counts.min()
    target = min(1.0, MAX_GROWTH_OF_A_CLASS / ratio)
    named = f"oversample, target_ratio {target:.3g}" if choice == "oversample" else choice
    reason = f"{named}: the commonest class has {ratio:.3g} times the rows of the rarest; {because}"
    if choice in ("none", "class_weights"):
        weights = len(labels) / (num_classes * counts) if choice != "none" else np.ones(num_classes)
        return Plan(indices=np.arange(len(labels)), class_weights=weights, reason=reason)
    if choice == "oversample":
        sizes = np.maximum(counts, int(np.ceil(target * counts.max())))
    else:
        sizes = np.full(num_classes, round(float(counts.mean())))
    return Plan.unweighted(resample(labels, sizes, rng=rng), num_classes, reason=reason)


def choose(counts: np.ndarray) -> tuple[Choice, str]:
    """Choose the strategy for classes of these sizes, int64 (num_classes,), and say why."""
    ratio, rarest = counts.max() / counts.min(), int(counts.min())
    growth = len(counts) * counts.max() / counts.sum()
    if ratio <= _NEARLY_EQUAL:
        return "none", f"up to {_NEARLY_EQUAL} is as good as balanced"
    if ratio <= _MILD and rarest >= _ENOUGH_ROWS:
        return "class_weights", f"with {rarest} rows in the rarest, mild weights are enough"
    if growth <= _MAX_GROWTH:
        return "oversample", f"full balance makes an epoch only {growth:.3g} times as long"
    return "hybrid", f"full balance would make an epoch {growth:.3g} times as long"
