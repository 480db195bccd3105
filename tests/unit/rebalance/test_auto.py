"""The documented rule, and that the choice is the plan of the strategy it names."""

import numpy as np
import pytest

from thawline.params import plugins
from thawline.rebalance._plan import Plan

CASES = [
    ([100, 100, 100], "none", {}),
    ([15, 10], "none", {}),
    ([500, 100, 300], "class_weights", {}),
    ([495, 99], "oversample", {}),  # as mild, but too few rows in the rarest
    ([600, 100], "oversample", {}),
    ([1000, 10], "oversample", {"target_ratio": 0.5}),
    ([10_000] * 3 + [1], "oversample", {"target_ratio": 0.005}),
    ([1000, *[60] * 9], "hybrid", {}),
]


def labels_of(counts: list[int]) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


def planned(strategy: str, labels: np.ndarray, **options: float) -> Plan:
    num_classes = int(labels.max()) + 1
    module = plugins.load(plugins.STRATEGY, strategy)
    plan: Plan = module.plan(labels, num_classes, rng=np.random.default_rng(3), **options)
    return plan


@pytest.mark.parametrize(("counts", "choice", "options"), CASES, ids=str)
def test_it_is_the_plan_of_the_strategy_it_names(
    counts: list[int], choice: str, options: dict[str, float]
) -> None:
    labels = labels_of(counts)
    chosen, same = planned("auto", labels), planned(choice, labels, **options)
    assert chosen.reason.startswith(choice)
    assert np.array_equal(chosen.indices, same.indices)
    assert np.array_equal(chosen.class_weights, same.class_weights)


@pytest.mark.parametrize(("counts", "choice", "options"), CASES, ids=str)
def test_the_reason_is_a_line_that_names_the_ratio(
    counts: list[int], choice: str, options: dict[str, float]
) -> None:
    reason = planned("auto", labels_of(counts)).reason
    assert reason.isprintable()
    assert f"{max(counts) / min(counts):.3g}" in reason
    if options:
        assert f"target_ratio {options['target_ratio']:.3g}" in reason


@pytest.mark.parametrize("counts", [case[0] for case in CASES], ids=str)
def test_no_class_grows_more_than_fifty_fold(counts: list[int]) -> None:
    labels = labels_of(counts)
    plan = planned("auto", labels)
    assert (np.bincount(labels[plan.indices]) <= 50 * np.array(counts)).all()
    assert not plan.corrects_twice()


def test_repeats_with_weights_are_noticed() -> None:
    weights = np.array([1.0, 2.0])
    assert Plan(indices=np.array([0, 1, 1]), class_weights=weights).corrects_twice()
    assert not Plan(indices=np.array([0, 1]), class_weights=weights).corrects_twice()
    assert not Plan.unweighted(np.array([0, 1, 1]), 2).corrects_twice()
