"""A dvc.lock that DVC cannot read: what the last line of `thawline run` says."""

from pathlib import Path

import pytest

from thawline.dvc import cache
from thawline.pipeline import run

WHOLE = "schema: '2.0'\nstages:\n  ingest:\n    cmd: a\n  evaluate:\n    cmd: b\n"


DAMAGED = pytest.mark.parametrize(
    "text",
    [
        WHOLE.replace("  evaluate:", "<<<<<<< HEAD\n  evaluate:\n=======\n>>>>>>> other"),
        WHOLE[: WHOLE.index("cmd: b")],
        WHOLE[: WHOLE.index("stages")],
        "",
        "[]",
        "{",
        "stages: 3",
    ],
)


@DAMAGED
def test_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.lock").write_text(text)
    assert "`rm dvc.lock`, then `thawline run`" in run._problem_of_lock()


def test_nothing_is_said_of_a_whole_one_or_of_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run._problem_of_lock() == ""
    (tmp_path / "dvc.lock").write_text(WHOLE)
    assert run._problem_of_lock() == ""


@DAMAGED
def test_a_stage_that_refuses_beside_one_says_its_own_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """It puts its outputs back first; a traceback there would hide why."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "evaluate")
    (tmp_path / "dvc.lock").write_text(text)
    (tmp_path / "dvc.yaml").write_text("stages:\n  evaluate:\n    cmd: b\n    outs: [out]\n")
    cache.put_back("evaluate")
    assert not (tmp_path / "out").exists()
