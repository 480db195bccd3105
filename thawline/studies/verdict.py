"""Judge a claim by a paired comparison over seeds and rows, with a confidence interval.

For a claim `better` the difference is contender - baseline, and delta the smallest effect of
interest. It holds if the interval is above 0 and reaches delta; it does not hold if the interval is
below delta. For `not_worse` it holds above -delta and does not hold below it. Else it is not
decided. A difference of nothing is called an effect in at most 2.5 % of studies, and an effect of
delta none in at most 2.5 %; Holm's correction makes that so for all claims of one report together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtr, stdtrit

from thawline.metrics.multiple_tests import levels
from thawline.studies.scores import Floats, ScoredRows, score

State = Literal["holds", "does not hold", "not decided"]
Expect = Literal["better", "not_worse"]
LEVEL = 0.05
"""Error level of one report: how often a claim or more of it may be judged wrongly."""
_RESAMPLES = 1000
_MOST_SEEDS = 1000


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Differences contender - baseline of a measure over the seeds that both have.

    Attributes:
        differences: float64 (n,).
        error: standard error of their mean; None for fewer than two seeds.
    """

    differences: Floats
    error: float | None

    @property
    def mean(self) -> float:
        return float(self.differences.mean()) if len(self.differences) else float("nan")


@dataclass(frozen=True, kw_only=True)
class ClaimVerdict:
    """Verdict on one claim.

    Attributes:
        low: lower end of the difference's interval; NaN where there is none, and so no verdict.
        high: upper end of it; NaN likewise.
        confidence: confidence of the interval, after Holm's correction.
        needs: number of seeds that would about decide it; None if it is decided or nobody can tell.
    """

    state: State
    mean: float
    low: float
    high: float
    confidence: float
    seeds: int
    needs: int | None

    def __str__(self) -> str:
        if self.state != "not decided":
            return f"{self.state} here"
        more = f"about {self.needs}" if self.needs else f"more than {_MOST_SEEDS}"
        more = more if self.seeds > 1 else "at least 2"
        return f"not decided with {self.seeds} seed{'s' * (self.seeds != 1)} (needs {more})"


def pair(baseline: Mapping[int, float], contender: Mapping[int, float]) -> Pairs:
    """Pair values by seed; the error is that of a paired t-test."""
    differences = np.array(
        [contender[s] - baseline[s] for s in sorted(baseline.keys() & contender)]
    )
    if len(differences) < 2:
        return Pairs(differences=differences, error=None)
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return Pairs(differences=differences, error=float(error))


def pair_rows(
    measure: str,
    baseline: Mapping[int, ScoredRows],
    contender: Mapping[int, ScoredRows],
    *,
    draw: int = 0,
    resamples: int = _RESAMPLES,
) -> Pairs:
    """Pair rows by seed; the error also includes that other images could have been drawn.

    The variance over seeds holds the luck of each seed's own images already. Images that several
    seeds share move them together: that covariance, from a bootstrap that draws an image for all
    seeds at once, comes on top, as in Cameron, Gelbach and Miller, 2011, "Robust inference with
    multiway clustering".

    Args:
        measure: a key of `scores.SCORES`.
        baseline: rows of the baseline by seed.
        contender: rows of the contender by seed.
        draw: seed of the bootstrap.
        resamples: number of resamples.
    """
    seeds = sorted(baseline.keys() & contender)
    exact = pair(
        {s: score(measure, baseline[s]) for s in seeds},
        {s: score(measure, contender[s]) for s in seeds},
    )
    if exact.error is None:
        return exact
    drawn = _drawn(measure, [(baseline[s], contender[s]) for s in seeds], draw, resamples)
    covariance = np.cov(drawn, rowvar=False)
    shared = (covariance.sum() - np.trace(covariance)) / len(seeds) ** 2
    error = float(np.sqrt(exact.error**2 + max(0.0, float(shared))))
    return Pairs(differences=exact.differences, error=error)


def _drawn(
    measure: str, pairs: Sequence[tuple[ScoredRows, ScoredRows]], draw: int, resamples: int
) -> Floats:
    """Compute each seed's differences on resampled images, float64 (resamples, n)."""
    rng = np.random.default_rng(draw)
    ids = np.unique(np.concatenate([rows.ids for both in pairs for rows in both]))
    places = [[np.searchsorted(ids, rows.ids) for rows in both] for both in pairs]
    found = np.empty((resamples, len(pairs)))
    for k in range(resamples):
        weights = rng.poisson(1.0, len(ids)).astype(np.float64)
        for n, both in enumerate(pairs):
            found[k, n] = _difference(measure, both, [weights[place] for place in places[n]])
    return found


def _difference(
    measure: str, pair: tuple[ScoredRows, ScoredRows], weights: Sequence[Floats]
) -> float:
    if not all(w.any() for w in weights):
        return 0.0
    baseline, contender = (score(measure, rows, w) for rows, w in zip(pair, weights, strict=True))
    return contender - baseline


def judge(
    pairs: Sequence[Pairs], expects: Sequence[Expect], deltas: Sequence[float]
) -> list[ClaimVerdict]:
    """Judge all claims of one report together.

    Args:
        pairs: differences of each claim.
        expects: what each claim expects.
        deltas: the smallest effect of interest of each claim.
    """
    claims = list(zip(pairs, expects, deltas, strict=True))
    tested = levels([_p_value(*claim) for claim in claims], LEVEL)
    return [_verdict(*claim, level) for claim, level in zip(claims, tested, strict=True)]


def _bounds(expect: Expect, delta: float) -> tuple[float, float]:
    """Return the bounds above which a claim holds and below which it does not."""
    return (0.0, delta) if expect == "better" else (-delta, -delta)


def _distance(pairs: Pairs, expect: Expect, delta: float) -> float:
    """Compute the distance from the mean to the bound that it is furthest beyond."""
    holds, fails = _bounds(expect, delta)
    return max(pairs.mean - holds, fails - pairs.mean)


def _p_value(pairs: Pairs, expect: Expect, delta: float) -> float:
    """Compute the two-sided p-value: the level at which the claim would just be decided."""
    if pairs.error is None:
        return 1.0
    distance = _distance(pairs, expect, delta)
    if pairs.error == 0:
        return 0.0 if distance > 0 else 1.0
    return float(2 * stdtr(len(pairs.differences) - 1, -distance / pairs.error))


def _verdict(pairs: Pairs, expect: Expect, delta: float, level: float) -> ClaimVerdict:
    number = len(pairs.differences)
    low = high = float("nan")
    if pairs.error is not None:
        half = float(stdtrit(number - 1, 1 - level / 2)) * pairs.error
        # No score differs by more than one, whatever a t distribution of few seeds says.
        low, high = max(-1.0, pairs.mean - half), min(1.0, pairs.mean + half)
    state = _state(low, high, *_bounds(expect, delta))
    return ClaimVerdict(
        state=state,
        mean=pairs.mean,
        low=low,
        high=high,
        confidence=1 - level,
        seeds=number,
        needs=_needs(pairs, expect, delta, level) if state == "not decided" else None,
    )


def _state(low: float, high: float, holds: float, fails: float) -> State:
    """Decide a claim by its interval and bounds.

    NaN compares as false, so that without an interval nothing is decided.
    """
    if high < fails:
        return "does not hold"
    return "holds" if low > holds else "not decided"


def _needs(pairs: Pairs, expect: Expect, delta: float, level: float) -> int | None:
    """Count the seeds that would decide the claim if mean and spread stayed as they are."""
    if pairs.error is None:
        return None
    distance = _distance(pairs, expect, delta)
    spread = pairs.error * np.sqrt(len(pairs.differences))
    numbers = np.arange(len(pairs.differences) + 1, _MOST_SEEDS + 1)
    halves = stdtrit(numbers - 1, 1 - level / 2) * spread / np.sqrt(numbers)
    enough = numbers[halves < distance]
    return int(enough[0]) if len(enough) else None
