"""Planted effects are found, and nothing is found where there is nothing, at the stated rate."""

import math

import numpy as np
import pytest

from tests.unit.studies.conftest import rows
from thawline.studies import verdict
from thawline.studies.scores import SCORES, ScoredRows, score
from thawline.studies.verdict import Expect, Pairs, judge

DELTA = 0.02


def planted(effect: float, seeds: int, rng: np.random.Generator, spread: float = 0.01) -> Pairs:
    values = rng.normal(effect, spread, seeds)
    return verdict.pair(dict.fromkeys(range(seeds), 0.0), dict(enumerate(values.tolist())))


def share(state: str, effect: float, expect: Expect, seeds: int, claims: int = 1) -> float:
    """Of many reports, in how many any of their claims gets the state."""
    rng = np.random.default_rng(0)
    found, reports = 0, 500 if claims == 1 else 250
    for _ in range(reports):
        pairs = [planted(effect, seeds, rng) for _ in range(claims)]
        judged = judge(pairs, [expect] * claims, [DELTA] * claims)
        found += any(one.state == state for one in judged)
    return found / reports


@pytest.mark.parametrize("seeds", [3, 10])
def test_nothing_is_rarely_called_an_effect(seeds: int) -> None:
    assert share("holds", 0.0, "better", seeds) <= 0.025 + 0.02


@pytest.mark.parametrize("seeds", [3, 10])
def test_an_effect_of_interest_is_rarely_denied(seeds: int) -> None:
    assert share("does not hold", DELTA, "better", seeds) <= 0.025 + 0.02


def test_at_the_edge_harm_is_rarely_called_none() -> None:
    assert share("holds", -DELTA, "not_worse", 5) <= 0.025 + 0.02


def test_many_claims_are_corrected_together() -> None:
    assert share("holds", 0.0, "better", 4, claims=8) <= 0.025 + 0.02


def test_large_effects_and_their_absence_are_found() -> None:
    assert share("holds", 0.05, "better", 5) > 0.95
    assert share("does not hold", -0.02, "better", 5) > 0.95
    assert share("holds", 0.0, "not_worse", 8) > 0.95
    assert share("does not hold", -0.06, "not_worse", 5) > 0.95


def test_without_an_interval_there_is_no_verdict() -> None:
    for seeds in ({}, {0: 0.9}):
        (judged,) = judge([verdict.pair({0: 0.1}, seeds)], ["better"], [DELTA])
        assert judged.state == "not decided"
        assert math.isnan(judged.low)
        assert (
            str(judged)
            == f"not decided with {len(seeds)} seed{'s' * (not seeds)} (needs at least 2)"
        )


def test_the_verdict_is_what_the_interval_says() -> None:
    rng = np.random.default_rng(1)
    for effect in np.linspace(-0.05, 0.05, 41):
        (one,) = judge([planted(effect, 4, rng)], ["better"], [DELTA])
        assert one.low < one.mean < one.high
        assert (one.state == "does not hold") == (one.high < DELTA)
        assert (one.state == "holds") == (one.low > 0 and one.high >= DELTA)


def test_as_many_seeds_as_it_needs_decide() -> None:
    pairs = planted(0.012, 4, np.random.default_rng(2), spread=0.02)
    (one,) = judge([pairs], ["better"], [DELTA])
    assert one.needs is not None
    assert str(one) == f"not decided with 4 seeds (needs about {one.needs})"
    error = pairs.error * math.sqrt(4 / one.needs) if pairs.error else 0.0
    more = Pairs(differences=np.full(one.needs, pairs.mean), error=error)
    assert judge([more], ["better"], [DELTA])[0].state != "not decided"
    fewer = Pairs(differences=np.full(one.needs - 1, pairs.mean), error=error * 1.2)
    assert judge([fewer], ["better"], [DELTA])[0].state == "not decided"


def _shared(accuracy: float, seeds: int, rng: np.random.Generator) -> dict[int, ScoredRows]:
    """Every seed says the same of the same 300 images, but for one in fifty."""
    labels, right = np.zeros(300, np.int64), rng.random(300) < accuracy
    flips = rng.random((seeds, 300)) < 0.02
    return {
        s: ScoredRows(
            ids=np.array([f"{k}" for k in range(300)]),
            labels=labels,
            predicted=np.where(right ^ flips[s], 0, 1),
            rare=np.array([True, False]),
        )
        for s in range(seeds)
    }


def _exact(baseline: dict[int, ScoredRows], contender: dict[int, ScoredRows]) -> Pairs:
    one, other = (
        {s: score("accuracy", r) for s, r in found.items()} for found in (baseline, contender)
    )
    return verdict.pair(one, other)


def test_seeds_that_agree_on_shared_images_are_no_certainty() -> None:
    rng = np.random.default_rng(0)
    baseline, contender = _shared(0.8, 4, rng), _shared(0.8, 4, rng)
    found, exact = verdict.pair_rows("accuracy", baseline, contender), _exact(baseline, contender)
    assert found.differences.tolist() == exact.differences.tolist()
    assert found.error is not None
    assert exact.error is not None
    assert found.error == pytest.approx(math.sqrt(2 * 0.8 * 0.2 / 300), rel=0.2)
    assert found.error > 2 * exact.error
    assert verdict.pair_rows("accuracy", baseline, contender).error == found.error


def test_images_of_one_seed_alone_are_counted_once() -> None:
    baseline, contender = ({s: rows(a, s) for s in range(4)} for a in (0.80, 0.82))
    found, exact = verdict.pair_rows("accuracy", baseline, contender), _exact(baseline, contender)
    assert found.error == pytest.approx(exact.error, rel=0.15)


@pytest.mark.slow
def test_shared_images_are_rarely_called_an_effect() -> None:
    rng = np.random.default_rng(0)
    held = {True: 0, False: 0}
    for _ in range(400):
        both = _shared(0.8, 4, rng), _shared(0.8, 4, rng)
        for with_rows in held:
            pairs = (
                verdict.pair_rows("accuracy", *both, resamples=100) if with_rows else _exact(*both)
            )
            held[with_rows] += judge([pairs], ["better"], [DELTA])[0].state == "holds"
    assert held[True] <= 400 * (0.025 + 0.02)
    assert held[False] > 400 * 0.15


def test_seeds_that_only_one_has_are_left_out() -> None:
    assert verdict.pair({0: 1.0, 1: 2.0}, {1: 5.0, 2: 7.0}).differences.tolist() == [3.0]


def test_scores_are_those_of_the_pipeline() -> None:
    from thawline.metrics import classification

    given = rows(0.7, 0, number=50)
    certain = np.eye(4, dtype=np.float32)[given.predicted]
    known = classification.score(certain, given.labels)
    assert score("accuracy", given) == pytest.approx(known.accuracy)
    assert score("macro_f1", given) == pytest.approx(known.macro_f1)
    assert score("balanced_accuracy", given) == pytest.approx(known.balanced_accuracy)
    counts = np.array([5, 60, 70, 80])
    assert score("rare_recall", given) == pytest.approx(
        classification.rare_recall(known.recall, known.support, counts)
    )


@pytest.mark.parametrize("name", SCORES)
def test_a_weight_is_a_repetition(name: str) -> None:
    given = rows(0.6, 1, number=30)
    weights = np.random.default_rng(0).integers(0, 3, 30)
    drawn = np.repeat(np.arange(30), weights)
    again = ScoredRows(
        ids=given.ids[drawn], labels=given.labels[drawn], predicted=given.predicted[drawn],
        rare=given.rare,
    )  # fmt: skip
    assert score(name, given, weights.astype(float)) == pytest.approx(score(name, again))
    assert score(name, ScoredRows.from_json(given.as_json())) == score(name, given)
