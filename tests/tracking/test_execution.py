"""Parents, children and links of a real DVC project in a real SQLite store."""

import os
import pty
import signal
import subprocess
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
LOG = "from thawline.tracking.log import log_pending; log_pending()"


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
    assert parent.data.params["fine_tune.learning_rate"] == "auto"
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
    project.set("fine_tune.learning_rate", "auto")
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


def test_in_a_terminal_dvc_and_its_stages_have_it_too(project: Project) -> None:
    project._replace(
        "small/ingest.py", "    run.require()\n", "    run.require()\n    print(os.isatty(1))\n"
    )
    ours, theirs = pty.openpty()
    code = "import sys; from thawline.pipeline.run import run; sys.exit(run(['ingest']))"
    begun = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=project.folder,
        env=project.env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = b""
    with suppress(OSError):  # how a terminal says end of file
        while found := os.read(ours, 1 << 16):
            said += found
    os.close(ours)
    assert begun.wait(timeout=10) == 0, said
    assert b"Running stage 'ingest'" in said
    assert b"True" in said
    assert _runs(project, "pipeline")[0].data.tags["stage.ingest"] == "ran"


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
    project.set("ingest.image_size_px", "auto")
    done = project.run("dvc", "repro")
    assert "Running stage" not in done.stdout
    assert "1 restored run(s) recorded" in project.python(LOG).stdout
    assert "nothing to log" in project.python(LOG).stdout
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


def _begun(project: Project, **env: str) -> subprocess.Popen[str]:
    """`thawline run`, which has come to a stage that waits or sleeps."""
    begun = project.popen(
        sys.executable,
        "-c",
        "import sys; from thawline.pipeline.run import run; sys.exit(run())",
        **env,
    )
    _wait((project.folder / ".mark").exists, 60)
    return begun


def _kill_what_records(project: Project) -> None:
    """The process beside a stage that was not forked."""
    found = [process for process in psutil.process_iter() if _records(process, project)]
    assert found
    for process in found:
        process.kill()


def _records(process: psutil.Process, project: Project) -> bool:
    try:
        at_work = process.cwd() == str(project.folder)
        return at_work and "-m thawline.tracking.apply" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_a_run_goes_on_when_what_records_it_is_killed(project: Project) -> None:
    (project.folder / "mode-evaluate").write_text("pause")
    running = _begun(project, THAWLINE_FORKSERVER="off")
    _kill_what_records(project)
    (project.folder / "go").touch()
    out, error = running.communicate(timeout=90)
    assert running.returncode == 0, out + error
    assert "`thawline log` sends the record later" in error
    (parent,) = _runs(project, "pipeline")
    assert parent.info.status == "FINISHED"
    assert {parent.data.tags[f"stage.{name}"] for name in STAGES} == {"ran"}
    assert "1 pending record(s) sent" in project.python(LOG).stdout
    *_, last = _runs(project, "stage")
    assert (last.info.run_name, last.info.status) == ("evaluate", "FINISHED")
    history = MlflowClient(project.uri).get_metric_history(last.info.run_id, "loss")
    assert [metric.step for metric in history] == [0, 1, 2, 3]


def test_a_stage_that_was_killed_with_what_records_it_is_put_right_by_the_next_start(
    project: Project,
) -> None:
    (project.folder / "mode-fine_tune").write_text("sleep")
    running = _begun(project, THAWLINE_FORKSERVER="off")
    _kill_what_records(project)
    psutil.Process(int((project.folder / ".mark").read_text())).kill()
    running.communicate(timeout=30)
    assert running.returncode == 1
    (project.folder / "mode-fine_tune").unlink()
    project.thawline_run()
    killed, whole = (run for run in _runs(project, "stage") if run.info.run_name == "fine_tune")
    _wait(lambda: not list((project.folder / ".thawline/journal").iterdir()), 10)
    assert whole.info.status == "FINISHED"
    assert MlflowClient(project.uri).get_run(killed.info.run_id).info.status == "KILLED"
    history = MlflowClient(project.uri).get_metric_history(killed.info.run_id, "loss")
    assert [metric.step for metric in history] == [0, 1, 2]


def test_without_the_fork_server_a_part_is_closed_once_dvc_has_ended(project: Project) -> None:
    project.run("dvc", "repro", "fine_tune", env={"THAWLINE_FORKSERVER": "off"})
    _wait(lambda: _runs(project, "pipeline")[0].info.status == "FINISHED")
    _wait(lambda: not _left_over(project), 5)


def test_a_stage_started_by_hand_is_closed_with_it(project: Project) -> None:
    project.run(sys.executable, "-m", "small.ingest")
    _wait(lambda: _runs(project, "pipeline")[0].info.status == "FINISHED")
    _wait(lambda: not _left_over(project), 5)
