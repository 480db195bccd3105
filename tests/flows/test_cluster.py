"""Studies on a real Dask cluster, in which a worker dies."""

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.flows.dask_cluster import cluster
from tests.flows.test_study import TEXT
from tests.pipeline.project import Project, make, wait_for
from tests.tracking.conftest import Server
from thawline.errors import UserError
from thawline.flows import runners

STUDY = (sys.executable, "-m", "thawline.flows.study", "tiny.yaml")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make(tmp_path / "a project")
    (made.folder / "tiny.yaml").write_text(TEXT, encoding="utf-8")
    return made


def _records(project: Project) -> list[dict[str, Any]]:
    paths = sorted((project.folder / ".thawline/studies/tiny").glob("*/record.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


@pytest.mark.slow
def test_a_killed_workers_trial_is_done_once_by_the_other(
    project: Project, mlflow_server: Server, api: str
) -> None:
    env = {"PREFECT_API_URL": api, "MLFLOW_TRACKING_URI": mlflow_server.uri}
    with cluster(project, workers=2) as dask:
        study = project.start(*STUDY, "--address", dask.address, env=env)
        doomed, other = dask.workers
        wait_for(lambda: dask.trial_of(doomed) and dask.trial_of(other), 300, "for both workers")
        assert dask.trial_of(doomed) != dask.trial_of(other)
        os.kill(doomed.pid, signal.SIGKILL)
        assert study.wait(timeout=900) == 0, project.output_file.read_text()[-3000:]
        assert other.poll() is None
    records = _records(project)
    assert [record["state"] for record in records] == ["complete"] * 4
    listed = project.run("dvc", "exp", "list", "--name-only").stdout.split()
    assert sorted(listed) == sorted(record["experiment"] for record in records)
    _check_runs(MlflowClient(mlflow_server.uri), {str(r["run_id"]) for r in records})
    assert project.run("git", "worktree", "list").stdout.count("\n") == 1


def _check_runs(client: MlflowClient, expected: set[str]) -> None:
    """One parent, one finished run per trial, no stage that is still open."""
    found = client.get_experiment_by_name("thawline")
    assert found is not None
    runs = client.search_runs([found.experiment_id])
    roles = Counter(run.data.tags["thawline.role"] for run in runs)
    assert (roles["study"], roles["trial"]) == (1, 4)
    trials = [run for run in runs if run.data.tags["thawline.role"] == "trial"]
    assert {run.info.run_id for run in trials} == expected
    assert {run.info.status for run in trials} == {"FINISHED"}
    assert not [run for run in trials if "error" in run.data.tags]
    stages = Counter(run.info.status for run in runs if run.data.tags["thawline.role"] == "stage")
    assert stages["RUNNING"] == 0
    assert stages["KILLED"] <= 1


@pytest.mark.slow
def test_workers_of_our_own_train_side_by_side(project: Project, api: str) -> None:
    env = {"PREFECT_API_URL": api}
    done = project.run(*STUDY, "--runner", "dask", "--workers", "2", env=env)
    assert "tiny: 4 trials complete" in done.stdout + done.stderr
    assert [record["state"] for record in _records(project)] == ["complete"] * 4
    assert project.left_over() == []


@pytest.mark.slow
def test_workers_in_another_folder_are_refused(project: Project, tmp_path: Path) -> None:
    elsewhere = make(tmp_path / "elsewhere")
    with cluster(elsewhere, workers=1) as dask:
        done = project.run(*STUDY, "--address", dask.address, code=2)
        assert f"works in {elsewhere.folder}; start it in {project.folder}" in done.stderr


def _worker(host: str, cores: int = 8, *, shares: bool = True) -> runners.Worker:
    return runners.Worker(host=host, root="/x", cores=cores, shares=shares)


def test_cores_are_shared_by_the_workers_of_a_machine() -> None:
    workers = {"a": _worker("one"), "b": _worker("one"), "c": _worker("two", cores=6)}
    assert runners.fair(workers, {"a": 1, "b": 1, "c": 1}) == 4
    assert runners.fair(workers, {"a": 1, "b": 1, "c": 2}) == 3
    assert runners.fair(workers, {"a": 20, "b": 1, "c": 1}) == 1


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        ([], "tcp://here has no workers"),
        ([_worker("far", shares=False)], "a worker on far works in /x; start it in"),
        (
            [_worker("far")],
            "MLFLOW_TRACKING_URI: sqlite:////x/mlflow.db cannot be reached from far",
        ),
    ],
)
def test_workers_that_cannot_share_are_refused(workers: list[runners.Worker], said: str) -> None:
    with pytest.raises(UserError, match=said):
        runners.check("tcp://here", workers, {"MLFLOW_TRACKING_URI": "sqlite:////x/mlflow.db"})


def test_a_file_is_shared_by_workers_of_this_machine() -> None:
    here = _worker(os.uname().nodename)
    runners.check("tcp://here", [here], {"MLFLOW_TRACKING_URI": "sqlite:////x/mlflow.db"})
