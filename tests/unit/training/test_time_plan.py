"""Estimates from counts alone."""

import pytest

from thawline.training import time_plan
from thawline.training.time_plan import DENSE, DEPTHWISE, epoch_seconds, first_answer_seconds

LITE0_64_PX = 31.4e6


def test_a_first_answer_takes_a_start_and_grows_with_the_images() -> None:
    assert first_answer_seconds(0, LITE0_64_PX, 2) == time_plan.STARTUP_S
    few, many = (first_answer_seconds(n, LITE0_64_PX, 2) for n in (1000, 2000))
    assert many - few == pytest.approx(few - time_plan.STARTUP_S)
    work = first_answer_seconds(1000, LITE0_64_PX, 1) - time_plan.STARTUP_S
    assert few - time_plan.STARTUP_S == pytest.approx(work / 2)


def test_the_digits_take_some_seconds_and_a_large_set_minutes() -> None:
    assert 12 < first_answer_seconds(1797, LITE0_64_PX, 2) < 20
    assert 60 < first_answer_seconds(10_000, 12 * LITE0_64_PX, 2) < 300


def test_a_pass_forwards_is_a_third_of_one_that_trains_all() -> None:
    forward = epoch_seconds(1000, LITE0_64_PX, 0, 2, bfloat16=False)
    trained = epoch_seconds(1000, LITE0_64_PX, LITE0_64_PX, 2, bfloat16=False)
    assert trained == pytest.approx(3 * forward)
    half = epoch_seconds(1000, LITE0_64_PX, LITE0_64_PX / 2, 2, bfloat16=False)
    assert forward < half < trained


def test_an_epoch_of_the_digits_is_as_long_as_it_was_measured() -> None:
    """313 s for 6 epochs of 12,750 rows with validation, docs/performance.md: 48 s an epoch."""
    rows = epoch_seconds(12_750, LITE0_64_PX, 0.9 * LITE0_64_PX, 2, bfloat16=False)
    validation = epoch_seconds(2250, LITE0_64_PX, 0, 2, bfloat16=False)
    assert rows + validation == pytest.approx(313 / 6, rel=0.25)


@pytest.mark.parametrize("rates", [DEPTHWISE, DENSE])
def test_bfloat16_is_never_slower(rates: time_plan.Rates) -> None:
    slow, quick = (epoch_seconds(9, 2e9, 1e9, 1, b, rates=rates) for b in (False, True))
    assert quick < slow


def test_equal_counts_give_equal_seconds() -> None:
    assert len({epoch_seconds(77, 3e7, 1e7, 3, bfloat16=True) for _ in range(9)}) == 1
