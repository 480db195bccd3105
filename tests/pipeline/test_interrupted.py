"""Killed and interrupted runs end, leave nothing open, and the next run gives the same hashes."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from tests.pipeline.project import Project, wait_for

pytestmark = pytest.mark.slow
EPOCHS = {
    "transfer_learn__solver": "gradient",
    "fine_tune__epochs": 15,
    "fine_tune__patience": 15,
    "fine_tune__learning_rate": 0.004,
}
"""Seconds of training: it has to be under way still when the signal comes. The default
rate throws a head of one short epoch out, and no epoch is better than the start then. Behind a
head in closed form none is.
"""


@pytest.fixture(scope="module")
def undisturbed(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = built.copy(tmp_path_factory.mktemp("undisturbed") / "a copy")
    project.set(**EPOCHS)
    project.run("dvc", "repro", "fine_tune")
    metrics = json.loads((project.folder / "reports/fine_tune/metrics.json").read_text())
    assert metrics["best_epoch"] > 0, "weights that no epoch changed, which are always the same"
    yield project
    project.end()


@pytest.fixture
def training(copy: Project) -> Project:
    copy.set(**EPOCHS)
    return copy


def _shell(kind: str, folder: Path) -> str:
    """What DVC starts a stage by: replaced by the stage, or its parent to the end."""
    if kind == "bash":
        return "/bin/bash"
    script = folder / "bash"
    script.write_text('#!/bin/bash\n/bin/bash "$@"\nexit $?\n')
    script.chmod(0o755)
    return str(script)


def _start(
    project: Project, *command: str, env: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[str], psutil.Process]:
    """The command, and its fine_tune stage once that has finished an epoch."""
    process = project.start(*command, env=env)
    wait_for(
        lambda: "epoch   1/" in project.output_file.read_text().partition("stages.fine_tune")[2],
        120,
        "for an epoch",
    )
    (stage,) = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.cmdline()[-2:] == ["-m", "stages.fine_tune"] and "python" in child.name()
    ]
    return process, stage


def _statuses(project: Project) -> tuple[str, str]:
    """Of the newest execution and of its last stage."""
    parent = project.runs("pipeline")[-1]
    stages = [run for run in project.runs("stage") if _parent(run) == parent.info.run_id]
    return parent.info.status, stages[-1].info.status


def _parent(run: object) -> str:
    return run.data.tags["mlflow.parentRunId"]  # type: ignore[attr-defined, no-any-return]


@pytest.mark.ci
@pytest.mark.parametrize("shell", ["bash", "one that stays"])
def test_kill_9_of_dvc_ends_the_stage(
    training: Project, undisturbed: Project, shell: str, tmp_path: Path
) -> None:
    dvc, stage = _start(
        training, "dvc", "repro", "fine_tune", env={"SHELL": _shell(shell, tmp_path)}
    )
    kept = training.folder / ".thawline" / "resume"
    wait_for(lambda: list(kept.glob("fine_tune-*.checkpoint")), 30, "for a checkpoint")
    dvc.kill()
    dvc.wait()
    psutil.wait_procs([stage], timeout=10)
    assert not stage.is_running()
    assert "epoch  15/" not in training.output_file.read_text()  # it was ended, it did not end
    again = training.run("dvc", "repro", "fine_tune")
    assert "fine_tune: resumes after epoch" in again.stderr
    assert list(kept.iterdir()) == []
    assert training.hashes()["models/fine_tune"] == undisturbed.hashes()["models/fine_tune"]
    assert training.hashes() == undisturbed.hashes()
    killed, whole = training.runs("pipeline")[1:]
    assert killed.info.status == "KILLED"
    wait_for(lambda: _statuses(training) == ("FINISHED", "FINISHED"), 20, "for the record")
    assert whole.info.start_time > killed.info.start_time
    assert "RUNNING" not in {run.info.status for run in training.runs("stage")}


def test_kill_9_of_the_stage(training: Project, undisturbed: Project) -> None:
    dvc, stage = _start(training, "dvc", "repro", "fine_tune")
    stage.kill()
    assert dvc.wait(timeout=30) == 255
    wait_for(lambda: _statuses(training) == ("KILLED", "KILLED"), 20, "for the record")
    wait_for(lambda: not training.left_over(), 20, "for the tracking process")
    training.run("thawline", "run", "fine_tune")
    assert training.hashes() == undisturbed.hashes()
    assert _statuses(training) == ("FINISHED", "FINISHED")


@pytest.mark.ci
def test_ctrl_c_ends_everything_within_five_seconds(training: Project) -> None:
    run, _ = _start(training, "thawline", "run", "fine_tune")
    began = time.monotonic()
    os.kill(run.pid, signal.SIGINT)
    assert run.wait(timeout=20) == 130
    assert time.monotonic() - began < 5
    # Those see by themselves that the run has ended, and take half a second and a bit for it.
    background = {"thawline.tracking.apply", "thawline.pipeline.forkserver.server"}
    at_work = [words for words in training.left_over() if not background & {*words}]
    assert at_work == []
    wait_for(lambda: not training.left_over(), 15, "for the tracking process")
    assert training.output_file.read_text().splitlines()[-1] == "ended by SIGINT"
    assert _statuses(training) == ("KILLED", "KILLED")
    parent = training.runs("pipeline")[-1]
    assert parent.data.tags["error"] == "ended by SIGINT"
    assert parent.data.tags["stage.ingest"] == "skipped"
