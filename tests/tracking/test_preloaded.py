"""Hosts of executions forked from a process that has mlflow loaded, as a study's trials do it."""

import time
from pathlib import Path

import psutil
import pytest

from tests.tracking.conftest import Project
from tests.tracking.test_execution import _runs
from thawline.tracking import preloaded

pytestmark = pytest.mark.slow
_MODULE = "thawline.tracking.preloaded"


def _process() -> psutil.Process:
    """The one that `running` has just started."""
    found = [child for child in psutil.Process().children() if _MODULE in child.cmdline()]
    (process,) = [child for child in found if child.status() != psutil.STATUS_ZOMBIE]
    return process


def test_an_execution_is_recorded_by_a_host_forked_from_it(project: Project) -> None:
    (project.folder / "mode-fine_tune").write_text("pause")
    with preloaded.running(True) as env:
        begun = project.popen("python", "-m", "thawline.cli", "run", **env)
        deadline = time.monotonic() + 60
        while not Path(project.env["MARK"]).exists():
            assert begun.poll() is None
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.1)
        hosts = _process().children()
        (project.folder / "go").touch()
        said = begun.communicate(timeout=60)
        assert begun.returncode == 0, said
        assert len(hosts) == 1
        hosts[0].wait(timeout=10)
    (parent,) = _runs(project, "pipeline")
    assert parent.info.status == "FINISHED"
    assert [run.info.status for run in _runs(project, "stage")] == ["FINISHED"] * 3
    assert parent.data.metrics["fine_tune.accuracy"] == 0.5


def test_without_it_an_execution_loads_mlflow_itself(project: Project) -> None:
    with preloaded.running(True) as env:
        process = _process()
        process.kill()
        process.wait()
        project.thawline_run(env=env)
    (parent,) = _runs(project, "pipeline")
    assert parent.info.status == "FINISHED"
    assert len(_runs(project, "stage")) == 3


def test_nothing_of_it_stays() -> None:
    with preloaded.running(True) as env:
        process = _process()
        folder = Path(env[preloaded.VARIABLE]).parent
        assert folder.stat().st_mode & 0o077 == 0
    assert not process.is_running()
    assert not folder.exists()


def test_it_is_not_started_where_nothing_is_recorded() -> None:
    with preloaded.running(False) as env:
        assert not env
        assert not [c for c in psutil.Process().children() if _MODULE in c.cmdline()]
