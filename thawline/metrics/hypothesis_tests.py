"""Compare two classifiers on the same rows: which is better, and how sure that is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_CHANCE = 1
"""Rows of a class that may be lost on balance without counting: of five rows one is a fifth."""


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """Test of challenger against champion on N rows; every ratio in [0, 1].

    Attributes:
        num_rows: N.
        challenger, champion: their accuracies.
        wins: rows that the challenger alone gets right.
        losses: rows that the champion alone gets right.
        low, high: interval of the difference of accuracies, challenger - champion.
        p_value: two-sided, of McNemar's exact test.
        recall_drop: champion's recall - challenger's, per class, float64 (K,); 0 for a class
            without a row, or that lost no more than one row on balance.
    """

    num_rows: int
    challenger: float
    champion: float
    wins: int
    losses: int
    low: float
    high: float
    p_value: float
    recall_drop: NDArray[np.float64]

    @property
    def difference(self) -> float:
        """Difference of accuracies, challenger - champion."""
        return self.challenger - self.champion


def compare(
    challenger: Ints,
    champion: Ints,
    labels: Ints,
    *,
    num_classes: int,
    rng: np.random.Generator,
    confidence: float,
    resamples: int,
) -> PairedTest:
    """Compare predictions of the same rows.

    Args:
        challenger: its predicted class ids, int64 (N,).
        champion: its predicted class ids, int64 (N,).
        labels: true class ids, int64 (N,).
        num_classes: K.
        rng: the only source of randomness.
        confidence: coverage of the interval, in (0, 1).
        resamples: number of bootstrap resamples.

    Raises:
        ValueError: there are no rows, or shapes differ.
    """
    if not len(labels) or challenger.shape != labels.shape or champion.shape != labels.shape:
        raise ValueError(f"expected predictions {labels.shape} of at least one row")
    right, before = challenger == labels, champion == labels
    wins, losses = int((right & ~before).sum()), int((before & ~right).sum())
    low, high = paired_interval(
        wins, losses, len(labels), rng=rng, confidence=confidence, resamples=resamples
    )
    return PairedTest(
        num_rows=len(labels),
        challenger=float(right.mean()),
        champion=float(before.mean()),
        wins=wins,
        losses=losses,
        low=low,
        high=high,
        p_value=mcnemar(wins, losses),
        recall_drop=_recall_drop(right, before, labels, num_classes),
    )


def paired_interval(
    wins: int,
    losses: int,
    num_rows: int,
    *,
    rng: np.random.Generator,
    confidence: float,
    resamples: int,
) -> tuple[float, float]:
    """Compute the percentile bootstrap interval of (wins - losses) / N over rows.

    Source: B. Efron and R. Tibshirani, 1993, "An introduction to the bootstrap", chapter 13.
    Drawing N rows with replacement makes wins, losses and ties multinomial, so the counts are drawn
    directly. Where the two never differ all resamples are 0; both ends are then those of Clopper
    and Pearson (1934) for an event that was not met in N rows, about 3.7 / N, instead of a claim of
    certainty.
    """
    tail = (1 - confidence) / 2
    if wins + losses == 0:
        bound = 1 - tail ** (1 / num_rows)
        return -bound, bound
    share = np.array([wins, losses, num_rows - wins - losses]) / num_rows
    drawn = rng.multinomial(num_rows, share, size=resamples)
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / num_rows, [tail, 1 - tail])
    return float(low), float(high)


def mcnemar(wins: int, losses: int) -> float:
    """Compute McNemar's exact two-sided p-value (1947), of wins and losses being equally likely."""
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def _recall_drop(
    right: NDArray[np.bool_], before: NDArray[np.bool_], labels: Ints, num_classes: int
) -> NDArray[np.float64]:
    support = np.bincount(labels, minlength=num_classes)
    lost = np.bincount(labels[before], minlength=num_classes)
    lost -= np.bincount(labels[right], minlength=num_classes)
    drop = np.zeros(num_classes)
    counted = (support > 0) & ((lost > _CHANCE) | (lost < 0))
    drop[counted] = lost[counted] / support[counted]
    return drop
