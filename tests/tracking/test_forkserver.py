"""Stages that run as forks of one process with the libraries loaded, and the ways out of it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.tracking.conftest import Project
from tests.tracking.test_execution import _runs
from thawline.pipeline.forkserver import client
from thawline.tracking import writer

pytestmark = pytest.mark.slow
_SERVER = "thawline.pipeline.forkserver.server"


def _wait(true: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def _servers(project: Project) -> list[psutil.Process]:
    """Those that were started in the project's folder; a stage's watcher has the same words."""
    found = [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if process.info["cwd"] == str(project.folder) and _SERVER in (process.info["cmdline"] or [])
    ]
    pids = [process.pid for process in found]
    return [process for process in found if process.ppid() not in pids]


def _begin(project: Project, mode: str, **env: str) -> tuple[subprocess.Popen[str], psutil.Process]:
    """`dvc repro` in fine_tune, and the process that works there."""
    (project.folder / "mode-fine_tune").write_text(mode)
    begun = project.popen("dvc", "repro", **env)
    mark = project.folder / ".mark"
    _wait(mark.exists)
    _wait(mark.read_text)
    return begun, psutil.Process(int(mark.read_text()))


def _started(begun: subprocess.Popen[str]) -> psutil.Process:
    """What DVC itself started as the stage."""
    (found,) = [
        child
        for child in psutil.Process(begun.pid).children(recursive=True)
        if child.cmdline()[-2:] == ["-m", "small.fine_tune"] and "python" in child.name()
    ]
    return found


def test_a_stage_runs_in_a_fork_and_the_process_ends_with_dvc(project: Project) -> None:
    begun, stage = _begin(project, "pause")
    shown = " ".join(stage.cmdline()).split()  # as `ps` does, with what was there wiped out
    assert shown[-2:] == ["-m", "small.fine_tune"]
    assert _started(begun).pid != stage.pid
    (server,) = _servers(project)
    (project.folder / "go").touch()
    said = begun.communicate(timeout=60)
    assert begun.returncode == 0, said
    server.wait(timeout=10)


def test_switched_off_a_stage_is_what_dvc_started(project: Project) -> None:
    begun, stage = _begin(project, "pause", **{client.VARIABLE: "off"})
    assert _started(begun).pid == stage.pid
    assert not _servers(project)
    (project.folder / "go").touch()
    said = begun.communicate(timeout=60)
    assert begun.returncode == 0, said


def test_other_surroundings_make_a_stage_run_by_itself(project: Project) -> None:
    """A variable that libraries read when they load cannot be given to a fork afterwards."""
    project._replace("dvc.yaml", "python -m small.f", "OMP_NUM_THREADS=3 python -m small.f")
    begun, stage = _begin(project, "pause")
    assert _servers(project)
    assert _started(begun).pid == stage.pid
    (project.folder / "go").touch()
    said = begun.communicate(timeout=60)
    assert begun.returncode == 0, said


def test_a_stage_that_is_killed_takes_its_fork_along(project: Project) -> None:
    begun, stage = _begin(project, "sleep")
    _started(begun).kill()
    stage.wait(timeout=5)
    begun.communicate(timeout=30)
    assert begun.returncode != 0


def test_a_fork_that_is_killed_is_a_stage_that_was_killed(project: Project) -> None:
    begun, stage = _begin(project, "sleep")
    stage.kill()
    _, said = begun.communicate(timeout=30)
    assert begun.returncode != 0
    assert "-9" in said or "137" in said


def test_signals_reach_the_fork(project: Project) -> None:
    begun, stage = _begin(project, "sleep")
    _started(begun).send_signal(signal.SIGTERM)
    stage.wait(timeout=5)
    _, said = begun.communicate(timeout=30)
    assert "143" in said


def test_a_mistake_in_a_fork_is_told_as_ever(project: Project) -> None:
    (project.folder / "mode-fine_tune").write_text("refuse")
    done = project.thawline_run(check=False)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last == "fine_tune: params.yaml: fine_tune.x: 3 is not allowed"


def test_a_crash_in_a_fork_shows_its_traceback(project: Project) -> None:
    (project.folder / "mode-fine_tune").write_text("crash")
    done = project.thawline_run(check=False)
    assert done.returncode == 1
    assert "ValueError: something broke" in done.stdout + done.stderr


def test_without_the_process_stages_run_by_themselves(project: Project) -> None:
    begun, _ = _begin(project, "pause")
    (server,) = _servers(project)
    server.kill()
    (project.folder / "go").touch()
    said = begun.communicate(timeout=60)
    assert begun.returncode == 0, said
    assert (project.folder / "reports/evaluate/metrics.json").exists()


def test_the_code_is_that_of_the_stage_s_folder(project: Project) -> None:
    """A study's process serves working trees, each with code of its own."""
    names = "sorted(n for n in sys.modules if n.startswith('thawline.pipeline.forkserver.'))"
    project._replace(
        "small/fine_tune.py",
        "    run.require()\n",
        f"    run.require()\n    Path('loaded').write_text(json.dumps({names}))\n",
    )
    project.run("dvc", "repro")
    loaded = json.loads((project.folder / "loaded").read_text())
    assert "thawline.pipeline.forkserver.client" in loaded  # the stage's own
    assert "thawline.pipeline.forkserver.server" not in loaded


def test_a_study_s_process_serves_the_stages_that_dvc_starts(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a terminal where a virtual environment is active, whose shell exports its prompt."""
    project.env["PS1"] = "(.venv) $ "
    _as_a_study(project, monkeypatch)
    with client.running(writer.modules(True)) as env:
        begun, stage = _begin(project, "pause", **env)
        assert _started(begun).pid != stage.pid
        (project.folder / "go").touch()
        said = begun.communicate(timeout=60)
        assert begun.returncode == 0, said


def test_nothing_of_it_stays(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    with client.running(writer.modules(True)) as env:
        folder = Path(env[client.VARIABLE]).parent
        assert folder.stat().st_mode & 0o077 == 0
        (server,) = _servers(project)
        assert server.ppid() == os.getpid()
    assert not server.is_running()
    assert not folder.exists()


def _as_a_study(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's folder and variables; not in a fixture, since pytest's own variable differs."""
    monkeypatch.chdir(project.folder)
    for name in os.environ.keys() - project.env.keys():
        monkeypatch.delenv(name)
    for name, value in project.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(client.VARIABLE, raising=False)


def test_a_study_s_process_has_mlflow_loaded_for_its_trials(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    _as_a_study(project, monkeypatch)
    (project.folder / "mode-fine_tune").write_text("pause")
    with client.running(writer.modules(True)) as env:
        begun = project.popen("python", "-m", "thawline.cli", "run", **env)
        mark = project.folder / ".mark"
        _wait(mark.exists)
        here = [
            process.info["cmdline"] or []
            for process in psutil.process_iter(["cmdline", "cwd"])
            if process.info["cwd"] == str(project.folder)
        ]
        (project.folder / "go").touch()
        said = begun.communicate(timeout=60)
        assert begun.returncode == 0, said
    assert here
    assert not [words for words in here if "-m thawline.tracking.apply" in " ".join(words)]
    (parent,) = _runs(project, "pipeline")
    assert parent.info.status == "FINISHED"
    assert [run.info.status for run in _runs(project, "stage")] == ["FINISHED"] * 3
    assert parent.data.metrics["fine_tune.accuracy"] == 0.5


def test_without_it_an_execution_loads_mlflow_itself(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    _as_a_study(project, monkeypatch)
    with client.running(writer.modules(True)) as env:
        (server,) = _servers(project)
        server.kill()
        server.wait()
        project.thawline_run(env=env)
    (parent,) = _runs(project, "pipeline")
    assert parent.info.status == "FINISHED"
    assert len(_runs(project, "stage")) == 3


@pytest.mark.parametrize("tracked", [True, False])
def test_mlflow_is_loaded_where_something_is_recorded(
    project: Project, tracked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _as_a_study(project, monkeypatch)
    with client.running(writer.modules(tracked)):
        (server,) = _servers(project)
        _wait(lambda: "libtorch" in _mapped(server), 120)  # of a later stage
        assert ("sqlalchemy" in _mapped(server)) == tracked


def _mapped(process: psutil.Process) -> str:
    return Path(f"/proc/{process.pid}/maps").read_text()
