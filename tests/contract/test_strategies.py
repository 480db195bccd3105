"""Every strategy of rebalancing."""

from typing import Any

import numpy as np
import pytest

from tests.contract.plugin import cases, function, untouched_randomness
from thawline.params import plugins
from thawline.rebalance._plan import Plan

LONG_TAIL = np.random.default_rng(0).permutation(np.repeat(np.arange(4), [120, 40, 12, 1]))
LABELS = {
    "long tail": LONG_TAIL,
    "balanced": np.arange(60) % 4,
    "one row each": np.arange(4),
}
pytestmark = pytest.mark.parametrize(("name", "options"), cases(plugins.STRATEGY), ids=str)


def planned(name: str, options: dict[str, Any], labels: np.ndarray, seed: int = 0) -> Plan:
    plan = function(plugins.STRATEGY, name)
    takes_features = "features" in plugins.input_names(plugins.STRATEGY, name)
    inputs = {"features": features(labels)} if takes_features else {}
    with untouched_randomness():
        result = plan(labels, 4, rng=np.random.default_rng(seed), **inputs, **options)
    assert isinstance(result, Plan)
    return result


def features(labels: np.ndarray) -> np.ndarray:
    """Clouds around a corner for each class, float32 (N, 8), that overlap a little."""
    noise = np.random.default_rng(1).normal(size=(len(labels), 8))
    return (np.eye(8)[labels] * 2.5 + noise).astype(np.float32)


@pytest.mark.parametrize("kind", LABELS)
def test_rows_ascend_in_range_and_no_class_is_lost(
    name: str, options: dict[str, Any], kind: str
) -> None:
    labels = LABELS[kind]
    plan = planned(name, options, labels)
    assert plan.indices.dtype == np.int64
    assert plan.indices.ndim == 1
    assert (np.diff(plan.indices) >= 0).all()
    assert plan.indices[0] >= 0
    assert plan.indices[-1] < len(labels)
    assert set(labels[plan.indices]) == {0, 1, 2, 3}


@pytest.mark.parametrize("kind", LABELS)
def test_class_weights_are_finite_and_positive(
    name: str, options: dict[str, Any], kind: str
) -> None:
    weights = planned(name, options, LABELS[kind]).class_weights
    assert weights.shape == (4,)
    assert weights.dtype == np.float64
    assert np.isfinite(weights).all()
    assert (weights > 0).all()


def test_equal_generators_give_equal_plans(name: str, options: dict[str, Any]) -> None:
    plans = [planned(name, options, LONG_TAIL, seed) for seed in (7, 7, 8)]
    assert np.array_equal(plans[0].indices, plans[1].indices)
    assert np.array_equal(plans[0].class_weights, plans[1].class_weights)
    assert len(plans[0].indices) == len(plans[2].indices)


def test_it_does_not_make_the_imbalance_worse(name: str, options: dict[str, Any]) -> None:
    plan = planned(name, options, LONG_TAIL)
    before = np.bincount(LONG_TAIL)
    rows = np.bincount(LONG_TAIL[plan.indices]) if plan.targets is None else plan.targets
    after = rows * plan.class_weights
    assert after.max() / after.min() <= before.max() / before.min() * 1.001


def test_targets_are_no_fewer_than_the_rows(name: str, options: dict[str, Any]) -> None:
    plan = planned(name, options, LONG_TAIL)
    if plan.targets is not None:
        assert plan.targets.shape == (4,)
        assert plan.targets.dtype == np.int64
        assert (plan.targets >= np.bincount(LONG_TAIL[plan.indices])).all()


def test_labels_stay_as_they_were(name: str, options: dict[str, Any]) -> None:
    labels = LONG_TAIL.copy()
    planned(name, options, labels)
    assert np.array_equal(labels, LONG_TAIL)
