"""Figures count where params.yaml still says what they were measured with."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.unit.advice.recorded_runs import write_run
from thawline.advice import provenance
from thawline.advice.provenance import TO_EVALUATE, TO_FINE_TUNE
from thawline.runtime import safe_yaml


@pytest.fixture
def folder(repository: Path, tmp_path: Path) -> Path:
    shutil.copy(repository / "params.yaml", tmp_path)
    return tmp_path


def whole(folder: Path) -> dict[str, Any]:
    """The section as params.yaml has it, which is how dvc.lock records one."""
    found: dict[str, Any] = {"fine_tune": safe_yaml.load(folder / "params.yaml")["fine_tune"]}
    return found


def test_a_run_with_these_values_holds(folder: Path) -> None:
    write_run(folder, {"fine_tune.momentum": 0.9, "fine_tune": {}, "seed": 0} | whole(folder))
    assert provenance.holds(TO_FINE_TUNE, folder)
    assert provenance.holds(TO_EVALUATE, folder), "a limit of the budget changes no model"


@pytest.mark.parametrize(
    "values", [{"fine_tune.momentum": 0.8}, {"seed": 1}, {"gone.away": 1}, {"fine_tune": {}}]
)
def test_a_run_with_other_values_does_not(folder: Path, values: dict[str, Any]) -> None:
    write_run(folder, values)
    assert not provenance.holds(TO_FINE_TUNE, folder)


def test_what_a_stage_before_made_anew_is_not_what_it_ran_on(folder: Path) -> None:
    write_run(folder, {"seed": 0}, ingest="other images")
    assert not provenance.holds(TO_FINE_TUNE, folder)
    write_run(folder, {"seed": 0}, fine_tune="other weights")
    assert provenance.holds(TO_FINE_TUNE, folder)
    assert not provenance.holds(TO_EVALUATE, folder)


def test_without_a_run_nothing_is_known(folder: Path) -> None:
    assert not provenance.holds(TO_FINE_TUNE, folder)
