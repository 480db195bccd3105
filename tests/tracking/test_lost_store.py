"""A store that cannot be reached, at the start and in the middle."""

import shutil
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient

from tests.tracking.conftest import Project, Server

pytestmark = pytest.mark.slow
LOG = "import sys; from thawline.tracking.log import log_pending; sys.exit(log_pending())"


@pytest.mark.parametrize("place", ["127.0.0.1:9", "10.255.255.1:5000"])
def test_unreachable_at_the_start_fails_before_the_work(project: Project, place: str) -> None:
    began = time.monotonic()
    done = project.run(
        "python", "-m", "small.ingest",
        env={"MLFLOW_TRACKING_URI": f"http://me:secret@{place}"}, check=False,
    )  # fmt: skip
    assert time.monotonic() - began < 15
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert f"http://{place}" in line
    assert "THAWLINE_TRACKING=off" in line
    assert "secret" not in done.stdout + done.stderr
    assert not (project.folder / "out").exists()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be looked at" * 9])
def test_a_broken_store_is_one_message(project: Project, content: bytes) -> None:
    (project.folder / "mlflow.db").write_bytes(content)
    done = project.run("python", "-m", "small.ingest", check=False)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "mlflow.db" in line
    assert (project.folder / "mlflow.db").read_bytes() == content


def test_eight_writers_on_one_fresh_store(project: Project) -> None:
    processes = []
    for number in range(8):
        folder = project.folder.parent / str(number)
        shutil.copytree(project.folder, folder)
        writer = Project(folder)
        env = {"MLFLOW_TRACKING_URI": project.uri}
        processes.append(writer.popen(sys.executable, "-m", "small.ingest", **env))
    for process in processes:
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
    client = MlflowClient(project.uri)
    found = client.get_experiment_by_name("thawline")
    assert found is not None
    runs = client.search_runs([found.experiment_id], "tags.`thawline.role` = 'stage'")
    assert [run.info.status for run in runs] == ["FINISHED"] * 8
    for run in runs:
        assert len(client.get_metric_history(run.info.run_id, "loss")) == 3


def test_lost_in_the_middle_keeps_the_result_and_the_record(
    project: Project, mlflow_server: Server
) -> None:
    env = {"MLFLOW_TRACKING_URI": mlflow_server.uri}
    (project.folder / "mode-ingest").write_text("pause")
    dvc = project.popen("dvc", "repro", "ingest", **env)
    _wait_for_mark(project, dvc)
    mlflow_server.kill()
    (project.folder / "go").touch()
    _, errors = dvc.communicate(timeout=120)
    assert dvc.returncode == 0
    assert errors.count("`thawline log` sends it later") == 1
    assert (project.folder / "out/ingest/a b.txt").exists()
    assert project.python(LOG, env=env, check=False).returncode != 0

    mlflow_server.start()
    assert "1 pending record(s) sent" in project.python(LOG, env=env).stdout
    assert "nothing to log" in project.python(LOG, env=env).stdout
    client = MlflowClient(mlflow_server.uri)
    found = client.get_experiment_by_name("thawline")
    assert found is not None
    (run,) = client.search_runs([found.experiment_id], "tags.`thawline.role` = 'stage'")
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [m.step for m in history] == [0, 1, 2, 3]
    assert [a.path for a in client.list_artifacts(run.info.run_id, "made")] == ["made/report.md"]
    assert run.data.tags["out.out/ingest"].endswith(".dir")
    parent = client.get_run(run.data.tags["mlflow.parentRunId"])
    assert parent.info.status == "FINISHED"
    assert not list((project.folder / ".thawline/journal").glob("*/"))


def _wait_for_mark(project: Project, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not (project.folder / ".mark").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(1)  # what was sent before arrives
