"""Numbers in the place of `auto`: by counts alone, within bounds, and only where it stands."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.params import params_file
from thawline.params.schema.recipes import FineTune
from thawline.training import auto_recipe
from thawline.training.auto_recipe import AUTO, KEYS, planned_epochs, planned_seconds
from thawline.training.time_plan import DENSE, DEPTHWISE, epoch_seconds

ROWS = st.integers(1, 10**7)
BATCHES = st.integers(1, 1024)
MACS = st.floats(1e5, 1e11)
THREADS = st.integers(1, 128)
MINUTES = st.none() | st.floats(0.01, 1e4)


@given(ROWS, BATCHES, MACS, THREADS, MINUTES)
def test_epochs_are_bounded_and_fit_into_the_time(
    num_rows: int, batch_size: int, macs: float, threads: int, minutes: float | None
) -> None:
    plan: dict[str, Any] = {"macs": macs, "threads": threads, "max_minutes": minutes}
    epochs = planned_epochs(num_rows, batch_size, **plan)
    assert 0 <= epochs <= auto_recipe._MOST
    assert planned_epochs(num_rows, batch_size, **plan) == epochs, "nothing is timed"
    if minutes is None:
        assert epochs >= auto_recipe._FEWEST, "many images get as many without a limit"
        minutes = auto_recipe._MINUTES if epochs > auto_recipe._FEWEST else 1e12
    of_epoch = epoch_seconds(num_rows, macs, macs, threads, False)
    assert epochs * of_epoch <= 60 * minutes * (1 + 1e-9)
    if epochs < auto_recipe._FEWEST:
        assert (epochs + 1) * of_epoch > 60 * minutes * (1 - 1e-9), "fewer only where time ends"


@given(ROWS, BATCHES, MACS, st.floats(0.01, 100.0))
def test_more_time_is_never_fewer_epochs(
    num_rows: int, batch_size: int, macs: float, minutes: float
) -> None:
    plans = [
        planned_epochs(num_rows, batch_size, macs=macs, threads=2, max_minutes=factor * minutes)
        for factor in (0.5, 1, 2)
    ]
    assert plans == sorted(plans)


def test_few_images_get_more_epochs_than_many() -> None:
    plans = [
        planned_epochs(rows, 32, macs=1e6, threads=2, max_minutes=1e4)
        for rows in (10, 1000, 3000, 10**5)
    ]
    assert plans == sorted(plans, reverse=True)
    assert (plans[0], plans[-1]) == (auto_recipe._MOST, auto_recipe._FEWEST)


@pytest.mark.parametrize("depthwise", [True, False])
@pytest.mark.parametrize("batch_size", [16, AUTO])
def test_the_time_is_that_of_the_planned_epochs(depthwise: bool, batch_size: int | str) -> None:
    rates = DEPTHWISE if depthwise else DENSE
    seconds = planned_seconds(
        1000, macs=3e7, threads=2, batch_size=batch_size, max_minutes=3.0, depthwise=depthwise
    )
    of_epoch = epoch_seconds(1000, 3e7, 3e7, 2, False, rates=rates)
    size = auto_recipe.ON_CPU if isinstance(batch_size, str) else batch_size
    epochs = planned_epochs(1000, size, macs=3e7, threads=2, max_minutes=3.0, rates=rates)
    assert epochs
    assert seconds == pytest.approx(epochs * of_epoch)
    assert seconds <= 180


@pytest.fixture
def section(repository: Path) -> FineTune:
    return params_file.load(repository / "params.yaml").fine_tune


@pytest.mark.parametrize("from_scratch", [True, False])
def test_only_what_is_auto_is_replaced(section: FineTune, from_scratch: bool) -> None:
    auto = section.model_copy(update=dict.fromkeys(KEYS, AUTO))
    values = auto_recipe.resolved(auto, from_scratch=from_scratch, epochs=7)
    assert AUTO not in [values[key] for key in KEYS]
    assert values["epochs"] == 7
    assert values["norm_statistics"] == ("update" if from_scratch else "keep")
    fixed = {
        "norm_statistics": "update", "epochs": 3, "learning_rate": 0.25, "label_smoothing": 0.3,
    }  # fmt: skip
    given = section.model_copy(update=fixed)
    values = auto_recipe.resolved(given, from_scratch=from_scratch, epochs=7)
    assert {key: values[key] for key in KEYS} == fixed
    assert auto_recipe.described(given, values) == ""
    assert all(key in auto_recipe.described(auto, values) for key in KEYS)


def test_rates_fall_and_a_fixed_one_is_the_only_one(section: FineTune) -> None:
    auto = section.model_copy(update={"learning_rate": AUTO, "optimizer": "sgd"})
    rates = auto_recipe.learning_rates(auto, from_scratch=False)
    assert list(rates) == sorted(set(rates), reverse=True)
    assert len(rates) > 1
    adam = auto.model_copy(update={"optimizer": "adam"})
    assert max(auto_recipe.learning_rates(adam, from_scratch=False)) < min(rates)
    assert len(auto_recipe.learning_rates(auto, from_scratch=True)) == 1
    fixed = section.model_copy(update={"learning_rate": 0.25})
    assert auto_recipe.learning_rates(fixed, from_scratch=False) == (0.25,)
