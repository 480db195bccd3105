"""One size for every class, between the rarest and the commonest."""

import numpy as np
import pytest

from thawline.rebalance import hybrid

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(4), [120, 40, 12, 3]))
COUNTS = np.bincount(LABELS)


@pytest.mark.parametrize(
    ("rows_per_class", "expected"), [(0, 44), (20, 20), (1, 3), (3, 3), (120, 120), (10**6, 120)]
)
def test_every_class_gets_the_size(rows_per_class: int, expected: int) -> None:
    plan = hybrid.plan(LABELS, 4, rng=np.random.default_rng(0), rows_per_class=rows_per_class)
    assert np.bincount(LABELS[plan.indices]).tolist() == [expected] * 4
    assert (plan.class_weights == 1).all()


def test_common_rows_are_not_repeated_and_rare_ones_not_lost() -> None:
    plan = hybrid.plan(LABELS, 4, rng=np.random.default_rng(0))
    for k, count in enumerate(COUNTS):
        drawn = plan.indices[LABELS[plan.indices] == k]
        assert len(np.unique(drawn)) == min(count, 44)


def test_the_mean_keeps_the_length_of_an_epoch() -> None:
    plan = hybrid.plan(LABELS, 4, rng=np.random.default_rng(0))
    assert abs(len(plan.indices) - len(LABELS)) <= 2


def test_other_generators_draw_other_rows() -> None:
    one, other = (hybrid.plan(LABELS, 4, rng=np.random.default_rng(seed)) for seed in (0, 1))
    assert not np.array_equal(one.indices, other.indices)
