"""A dvc.lock that DVC cannot read: what the last line of `thawline run` says."""

from pathlib import Path

import pytest

from thawline import pipeline

WHOLE = "schema: '2.0'\nstages:\n  ingest:\n    cmd: a\n  evaluate:\n    cmd: b\n"


@pytest.mark.parametrize(
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
def test_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.lock").write_text(text)
    assert "`rm dvc.lock`, then `thawline run`" in pipeline._problem_of_lock()


def test_nothing_is_said_of_a_whole_one_or_of_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert pipeline._problem_of_lock() == ""
    (tmp_path / "dvc.lock").write_text(WHOLE)
    assert pipeline._problem_of_lock() == ""
