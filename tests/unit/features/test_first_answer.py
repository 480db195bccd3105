"""The interval that the first answer comes with."""

import numpy as np
import pytest
from scipy.stats import binomtest

from thawline.features.level_choice import weighted_mean
from thawline.training.solve_stage import interval


@pytest.mark.parametrize(("hits", "count"), [(48, 48), (0, 30), (37, 40), (500, 1000)])
def test_it_is_wilsons_for_rows_of_equal_weight(hits: int, count: int) -> None:
    share = hits / count
    found = interval(share, float(np.sqrt(share * (1 - share) / count)), count)
    bounds = binomtest(hits, count).proportion_ci(method="wilson")
    assert found == pytest.approx((bounds.low, bounds.high), abs=1e-4)


def test_it_is_wider_where_few_rows_weigh_much() -> None:
    low, high = interval(0.667, 0.224, 72)
    assert 0 < low < 0.3
    assert 0.9 < high < 1


@pytest.mark.parametrize("count", [30, 48, 99, 1171])
def test_it_is_not_zero_wide_where_all_rows_are_right(count: int) -> None:
    """Their mean and its error are rounded: not quite 1 and 0."""
    low, high = interval(*weighted_mean(np.ones(count, bool), np.ones(count)), count)
    assert low < 1 - 1 / count
    assert high == pytest.approx(1)
