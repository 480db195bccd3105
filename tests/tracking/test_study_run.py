"""The run of a study, in a real store."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from mlflow import MlflowClient

from thawline.tracking.study import StudyRun


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyRun:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    return StudyRun("thawline", "depth", "0" * 8, {"claim": "Deeper is better."})


def _trial(study: StudyRun, run_id: str | None, state: str, tags: Mapping[str, str]) -> str:
    return study.trial(
        "deep, seed 0", run_id, state, tags=tags, params={"seed": 0}, metrics={"latency_ms": 2.0}
    )


def test_what_is_measured_later_does_not_move_a_trials_end(study: StudyRun) -> None:
    client = MlflowClient()
    run_id = _trial(study, None, "complete", {})
    client.set_terminated(run_id, "FINISHED", end_time=client.get_run(run_id).info.start_time + 5)
    ended = client.get_run(run_id).info.end_time
    assert _trial(study, run_id, "complete", {}) == run_id
    run = client.get_run(run_id)
    assert (run.info.status, run.info.end_time) == ("FINISHED", ended)
    assert run.data.metrics["latency_ms"] == 2.0


def test_a_trial_that_was_still_running_ends_and_loses_its_old_error(study: StudyRun) -> None:
    client = MlflowClient()
    run_id = _trial(study, None, "failed", {"error": "no room"})
    assert client.get_run(run_id).data.tags["error"] == "no room"
    client.update_run(run_id, "RUNNING")
    _trial(study, run_id, "complete", {})
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.end_time >= run.info.start_time
    assert "error" not in run.data.tags
