"""Cui et al.: weights by the effective number of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.rebalance import class_weights, effective_number
from thawline.rebalance._plan import Plan

COUNTS = np.array([500, 50, 5])
LABELS = np.repeat(np.arange(3), COUNTS)


def planned(beta: float, labels: np.ndarray = LABELS) -> Plan:
    return effective_number.plan(labels, 3, rng=np.random.default_rng(0), beta=beta)


def test_the_weights_are_those_of_the_paper() -> None:
    weights = planned(0.99).class_weights
    effective = np.array([sum(0.99**i for i in range(n)) for n in COUNTS])
    assert weights * effective == pytest.approx(weights[0] * effective[0])


def test_zero_weighs_nothing() -> None:
    assert planned(0.0).class_weights == pytest.approx(1)


def test_towards_one_it_becomes_inverse_frequency() -> None:
    balanced = class_weights.plan(LABELS, 3, rng=np.random.default_rng(0)).class_weights
    assert planned(1 - 1e-7).class_weights == pytest.approx(balanced, rel=1e-3)
    assert planned(0.999).class_weights[2] < balanced[2]


@given(
    st.floats(0, 1, exclude_max=True),
    st.lists(st.integers(1, 2000), min_size=3, max_size=3),
)
def test_the_mean_over_the_rows_is_one(beta: float, counts: list[int]) -> None:
    labels = np.repeat(np.arange(3), counts)
    plan = planned(beta, labels)
    assert plan.class_weights[labels].mean() == pytest.approx(1)
    assert np.isfinite(plan.class_weights).all()
    assert plan.indices.tolist() == list(range(len(labels)))
