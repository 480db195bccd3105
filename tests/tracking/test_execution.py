"""Parents, children and links of a real DVC project in a real SQLite store."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from ruamel.yaml import YAML

from tests.tracking.conftest import STAGES, Project

pytestmark = pytest.mark.slow


def _runs(project: Project, role: str) -> list[Run]:
    """Oldest first."""
    client = MlflowClient(project.uri)
    found = client.get_experiment_by_name("thawline")
    assert found is not None
    return list(
        client.search_runs(
            [found.experiment_id], f"tags.`thawline.role` = '{role}'", order_by=["start_time ASC"]
        )
    )


def _wait(condition: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def _left_over(project: Project) -> list[list[str]]:
    """Command lines of processes that work in the project's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(project.folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


def test_bare_dvc_repro_makes_one_parent_with_nested_stages(project: Project) -> None:
    project.folder = project.folder.rename(project.folder.with_name("ein Projekt's #2 %41 é 🙂"))
    project.run("dvc", "repro")
    (parent,) = _runs(project, "pipeline")
    stages = {run.info.run_name: run for run in _runs(project, "stage")}
    assert set(stages) == {"ingest", "fine_tune", "evaluate"}
    assert parent.info.status == "FINISHED"
    assert parent.data.params["fine_tune.learning_rate"] == "0.04"
    assert parent.data.metrics["fine_tune.accuracy"] == 0.5
    assert parent.data.tags["git.commit"] == project.run("git", "rev-parse", "HEAD").stdout.strip()
    assert parent.data.tags["git.dirty"] == "false"
    assert parent.inputs.dataset_inputs[0].dataset.name == "digits"
    lock = YAML(typ="safe").load((project.folder / "dvc.lock").read_text())
    for name, run in stages.items():
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert parent.data.tags[f"stage.{name}"] == "ran"
        assert parent.data.tags[f"stage.{name}.run_id"] == run.info.run_id
        (md5,) = (o["md5"] for o in lock["stages"][name]["outs"] if o["path"] == f"out/{name}/")
        assert run.data.tags[f"out.out/{name}"] == parent.data.tags[f"out.out/{name}"] == md5
        assert "system/cpu_utilization_percentage" in run.data.metrics
        assert run.data.params
        assert all(k.startswith(f"{name}.") for k in run.data.params)
    history = MlflowClient(project.uri).get_metric_history(stages["fine_tune"].info.run_id, "loss")
    assert [m.step for m in history] == [0, 1, 2]
    _wait(lambda: not _left_over(project), 5)


def test_thawline_run_tells_skipped_restored_and_ran_apart(project: Project) -> None:
    project.thawline_run()
    first = _runs(project, "pipeline")[-1]
    again = project.thawline_run()
    assert "nothing to do" in again.stdout
    assert len(_runs(project, "pipeline")) == 1
    project.set("fine_tune.learning_rate", "0.03")
    project.thawline_run()
    project.set("fine_tune.learning_rate", "0.04")
    project.thawline_run()
    second, third = _runs(project, "pipeline")[1:]
    assert (second.data.tags["stage.ingest"], second.data.tags["stage.fine_tune"]) == (
        "skipped",
        "ran",
    )
    assert third.data.tags["stage.fine_tune"] == "restored"
    for name in ("ingest", "fine_tune"):
        key = f"stage.{name}.run_id"
        assert third.data.tags[key] == first.data.tags[key]
    assert third.info.status == "FINISHED"
    assert third.inputs.dataset_inputs[0].dataset.name == "digits"


@pytest.mark.parametrize(
    ("mode", "code", "says"), [("refuse", 2, "3 is not"), ("crash", 1, "broke")]
)
def test_a_failing_stage(project: Project, mode: str, code: int, says: str) -> None:
    (project.folder / "mode-fine_tune").write_text(mode)
    done = project.thawline_run(check=False)
    assert done.returncode == code
    assert done.stderr.rstrip().splitlines()[-1].startswith("fine_tune: ")
    assert says in done.stderr.rstrip().splitlines()[-1]
    (parent,) = _runs(project, "pipeline")
    assert parent.info.status == "FAILED"
    assert {run.info.run_name: run.info.status for run in _runs(project, "stage")} == {
        "ingest": "FINISHED",
        "fine_tune": "FAILED",
    }
    assert parent.data.tags["stage.evaluate"] == "not reached"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_within_five_seconds(project: Project, signum: int) -> None:
    (project.folder / "mode-ingest").write_text("sleep")
    code = "import sys; from thawline.pipeline.run import run; sys.exit(run())"
    process = project.popen("python", "-c", code)
    _wait((project.folder / ".mark").exists)
    sent = time.monotonic()
    process.send_signal(signum)
    process.communicate(timeout=20)
    assert time.monotonic() - sent < 5
    assert process.returncode == 128 + signum
    _wait(lambda: not _left_over(project), 5)
    (parent,), (stage,) = _runs(project, "pipeline"), _runs(project, "stage")
    assert (parent.info.status, stage.info.status) == ("KILLED", "KILLED")


def test_kill_dash_nine_of_thawline_run_leaves_nothing_running(project: Project) -> None:
    (project.folder / "mode-ingest").write_text("sleep")
    code = "import sys; from thawline.pipeline.run import run; sys.exit(run())"
    process = project.popen("python", "-c", code)
    _wait((project.folder / ".mark").exists)
    dvc = psutil.Process(process.pid).children()[0]
    process.kill()
    process.communicate()
    _wait(lambda: _runs(project, "pipeline")[0].info.status == "KILLED", 10)
    os.killpg(dvc.pid, signal.SIGTERM)  # whoever kills the launcher has DVC on his hands
    _wait(lambda: not _left_over(project), 10)


def test_kill_dash_nine_of_advice_ends_the_ingest_that_it_began(project: Project) -> None:
    (project.folder / "mode-ingest").write_text("sleep")
    code = (
        "from thawline.params import params_file as params\nfrom thawline.advice import readiness\n"
        "readiness.prepare_data_set(params.load())\n"
    )
    process = project.popen("python", "-c", code)
    _wait((project.folder / ".mark").exists, 60)
    assert len(_left_over(project)) > 1
    process.kill()
    process.communicate()
    _wait(lambda: not _left_over(project), 10)


def test_kill_dash_nine_is_put_right_by_the_next_start(project: Project) -> None:
    (project.folder / "mode-ingest").write_text("sleep")
    dvc = project.popen("dvc", "repro")
    _wait((project.folder / ".mark").exists)
    stage = psutil.Process(int((project.folder / ".mark").read_text()))
    dvc.kill()
    dvc.communicate()
    with suppress(psutil.NoSuchProcess):  # it ends with dvc, perhaps sooner
        stage.kill()
    _wait(lambda: _runs(project, "stage")[0].info.status == "KILLED")
    (project.folder / "mode-ingest").unlink()
    project.run("dvc", "repro")
    killed, whole = _runs(project, "pipeline")
    assert (killed.info.status, whole.info.status) == ("KILLED", "FINISHED")


def test_a_part_of_the_pipeline_is_closed_once_dvc_has_ended(project: Project) -> None:
    project.run("dvc", "repro")
    project.set("fine_tune.learning_rate", "0.03")
    project.run("dvc", "repro", "fine_tune")
    _wait(lambda: _runs(project, "pipeline")[1].info.status == "FINISHED")
    tags = _runs(project, "pipeline")[1].data.tags
    assert tags["stage.ingest"] == "skipped or restored"
    assert tags["stage.fine_tune"] == "ran"
    assert tags["stage.evaluate"] == "not reached"


def test_temporary_and_queued_experiments_land_in_the_same_store(project: Project) -> None:
    project.run("dvc", "exp", "run", "--temp", "-n", "temporary", "-S", "fine_tune.epochs=3")
    project.run("dvc", "exp", "run", "--queue", "-n", "queued", "-S", "fine_tune.epochs=4")
    project.run("dvc", "queue", "start")
    _wait(lambda: len(_runs(project, "pipeline")) == 2, 90)
    _wait(lambda: all(run.info.status == "FINISHED" for run in _runs(project, "pipeline")), 90)
    project.run("dvc", "queue", "stop")
    head = project.run("git", "rev-parse", "HEAD").stdout.strip()
    for run, name in zip(_runs(project, "pipeline"), ("temporary", "queued"), strict=True):
        assert run.info.run_name == run.data.tags["dvc.experiment"] == name
        assert run.data.tags["dvc.baseline"] == head
    assert Path(project.folder / "mlflow.db").exists()


def test_a_wholly_restored_workspace_is_recorded_by_thawline_log(project: Project) -> None:
    # DVC restores from its run cache only stages with dependencies.
    text = (project.folder / "dvc.yaml").read_text()
    text = text.replace("small.ingest\n", "small.ingest\n    deps: [small/ingest.py]\n")
    text = text.replace(", {reports/evaluate/report.md: {cache: false}}", "")
    (project.folder / "dvc.yaml").write_text(text)
    project.run("dvc", "repro")
    project.set("ingest.image_size_px", "32")
    project.run("dvc", "repro")
    assert len(_runs(project, "pipeline")) == 2
    project.set("ingest.image_size_px", "64")
    done = project.run("dvc", "repro")
    assert "Running stage" not in done.stdout
    code = "from thawline.tracking.log import log_pending; log_pending()"
    assert "1 restored run(s) recorded" in project.python(code).stdout
    assert "nothing to log" in project.python(code).stdout
    first, _, third = _runs(project, "pipeline")
    assert third.data.tags["stage.ingest"] == "restored"
    assert third.data.tags["thawline.digest"] == first.data.tags["thawline.digest"]
    assert third.data.tags["stage.ingest.run_id"] == first.data.tags["stage.ingest.run_id"]
    assert third.data.metrics["fine_tune.accuracy"] == 0.5


def test_switched_off_leaves_no_trace_and_equal_outputs(project: Project) -> None:
    project.run("dvc", "repro", env={"THAWLINE_TRACKING": "off"})
    lock = (project.folder / "dvc.lock").read_text()
    assert not (project.folder / "mlflow.db").exists()
    project.run("dvc", "repro", "--force")
    assert (project.folder / "mlflow.db").exists()
    assert (project.folder / "dvc.lock").read_text() == lock


def test_thawline_run_closes_its_run_itself_when_the_tracking_process_was_killed(
    project: Project,
) -> None:
    (project.folder / "mode-evaluate").write_text("pause")
    running = project.popen(
        sys.executable,
        "-c",
        "import sys; from thawline.pipeline.run import run; sys.exit(run())",
    )
    _wait((project.folder / ".mark").exists, 60)
    hosts = [process for process in psutil.process_iter() if _is_host(process, project)]
    for process in hosts:
        process.kill()
    assert hosts
    (project.folder / "go").touch()
    out, error = running.communicate(timeout=90)
    assert running.returncode == 0, out + error
    (parent,) = _runs(project, "pipeline")
    assert parent.info.status == "FINISHED"
    assert {parent.data.tags[f"stage.{name}"] for name in STAGES} == {"ran"}


def _is_host(process: psutil.Process, project: Project) -> bool:
    try:
        at_work = process.cwd() == str(project.folder)
        return at_work and "thawline.tracking.host" in process.cmdline()
    except psutil.Error:
        return False
