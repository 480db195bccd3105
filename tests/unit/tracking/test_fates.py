"""What became of stages that did not run, told from outputs and dvc.lock before and after a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from thawline.tracking.fates import Before

DVC = """\
stages:
  ingest:
    cmd: a
    outs: [data]
  train:
    cmd: b
    deps: [data]
    outs: [model]
  report:
    cmd: c
    deps: [model/net, code.py]
    outs: [page]
  apart:
    cmd: d
    outs: [apart]
"""
STAGES = ("ingest", "train", "report", "apart")
OUTS = {"ingest": "data", "train": "model", "report": "page", "apart": "apart"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(DVC)
    (tmp_path / "model").mkdir()
    for path in ("data", "model/net", "page", "apart"):
        (tmp_path / path).write_text("first")
    lock("0", *STAGES)
    return tmp_path


def lock(value: str, *stages: str) -> None:
    """What DVC has recorded of these stages; of the others as it was."""
    path = Path("dvc.lock")
    known: dict[str, Any] = json.loads(path.read_text())["stages"] if path.exists() else {}
    for name in stages:
        known[name] = {"cmd": name, "params": {"params.yaml": {"x": value}}}
    path.write_text(json.dumps({"stages": known}))


def state(**stages: str) -> dict[str, Any]:
    return {"stages": {name: {"status": status} for name, status in stages.items()}}


def test_nothing_to_do() -> None:
    fates = Before().fates(state(), (), done=True)
    assert fates == dict.fromkeys(STAGES, "skipped")


def test_a_stage_of_other_params_is_restored() -> None:
    before = Before()
    lock("1", "train")
    fates = before.fates(state(report="finished"), (), done=True)
    assert fates == {"ingest": "skipped", "train": "restored", "report": "ran", "apart": "skipped"}


@pytest.mark.parametrize("gone", ["data", "model/net"])
def test_an_output_that_is_back_is_restored(here: Path, gone: str) -> None:
    (here / gone).unlink()
    before = Before()
    (here / gone).write_text("first")
    fates = before.fates(state(), (), done=True)
    assert [name for name in fates if fates[name] == "restored"] == [
        {"data": "ingest", "model/net": "train"}[gone]
    ]


@pytest.mark.parametrize("target", ["train", "dvc.yaml:train"])
def test_what_was_not_asked_for_is_not_reached(target: str) -> None:
    fates = Before().fates(state(train="finished"), [target], done=True)
    assert fates == {
        "ingest": "skipped", "train": "ran", "report": "not reached", "apart": "not reached"
    }  # fmt: skip


@pytest.mark.parametrize("status", ["failed", "killed", "running"])
def test_what_follows_a_failure_is_not_reached(status: str) -> None:
    fates = Before().fates(state(train=status), (), done=False)
    assert (fates["ingest"], fates["report"]) == ("skipped", "not reached")


def test_a_stage_that_could_not_note_its_failure_has_failed() -> None:
    fates = Before().fates(state(ingest="finished", apart="finished"), (), done=False)
    assert fates == {"ingest": "ran", "train": "failed", "report": "not reached", "apart": "ran"}


def test_a_first_run_that_fails(here: Path) -> None:
    (here / "dvc.lock").unlink()
    before = Before()
    lock("0", "ingest")
    fates = before.fates(state(ingest="finished", train="failed"), (), done=False)
    assert fates["report"] == "not reached"
