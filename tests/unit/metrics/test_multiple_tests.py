"""Several hypotheses together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.metrics.multiple_tests import adjust, levels

P_VALUES = st.lists(st.floats(0.001, 1), min_size=1, max_size=8)


@given(P_VALUES)
def test_adjusting_never_lowers_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = adjust(p_values)
    assert all(p <= a <= min(1, len(p_values) * p) + 1e-12 or a == max(adjusted)
               for p, a in zip(p_values, adjusted, strict=True))  # fmt: skip
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)
    assert min(adjusted) == pytest.approx(min(1, len(p_values) * min(p_values)))


def test_adjusting_by_hand() -> None:
    assert adjust([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert [p <= 0.05 for p in adjust([0.01, 0.04, 0.03, 0.001])] == [True, False, False, True]
    assert adjust([]) == []


def test_levels_by_hand() -> None:
    assert levels([0.01, 0.04, 0.03, 0.005], 0.05) == pytest.approx(
        [0.05 / 3, 0.025, 0.025, 0.0125]
    )
    assert levels([], 0.05) == []
    assert levels([0.5], 0.05) == [0.05]


@given(P_VALUES)
def test_both_reject_the_same(p_values: list[float]) -> None:
    tested = levels(p_values, 0.05)
    by_level = [p <= level for p, level in zip(p_values, tested, strict=True)]
    near = any(abs(a - 0.05) < 1e-12 for a in adjust(p_values))
    assert near or by_level == [a <= 0.05 for a in adjust(p_values)]
