"""A small real project (git, DVC, MLflow, three light stages) and a real Prefect server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.tracking.conftest import REPOSITORY, Project, mlflow_server, project  # noqa: F401
from thawline.flows import server

STAGES = ("ingest", "fine_tune", "evaluate")


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of a server."""
    port = server.free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    env |= {"PREFECT_HOME": str(folder), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    env |= {"PYTHONPATH": str(REPOSITORY)}
    env |= {"PREFECT_SERVER_UI_ENABLED": "false"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "thawline.flows.prefect_server", str(port)], env=env, stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip
    address = f"http://{server.HOST}:{port}/api"
    try:
        wait_for(lambda: server.answers(address), 400)
        yield address, process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server that all tests of the folder share."""
    with serving(tmp_path_factory.mktemp("prefect")) as (address, _):
        yield address


@pytest.fixture
def small(project: Project, api: str) -> Iterator[Project]:  # noqa: F811
    """The small project; its flows use the shared server."""
    project.env |= {"PREFECT_API_URL": api}
    yield project
    for process in left_over(project.folder):
        process.kill()


def flow(project: Project, *words: str, code: int = 0) -> str:  # noqa: F811
    """Output of `python -m flows.<words>`."""
    module, *rest = words
    done = project.run(sys.executable, "-m", f"thawline.flows.{module}", *rest, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def states(text: str) -> dict[str, str]:
    """Task run -> name of its last state, as Prefect's log tells."""
    found = {}
    for line in text.splitlines():
        if "Task run '" in line and "Finished in state" in line:
            name = line.split("Task run '")[1].split("'")[0]
            found[name] = line.split("Finished in state ")[1].split("(")[0].strip("'")
    return found


def left_over(folder: Path) -> list[Any]:
    """Processes that work in the folder, tracking's own aside: that ends by itself."""
    found = []
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(folder)
            if inside and process.cmdline() and "thawline.tracking.apply" not in process.cmdline():
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def wait_for(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain"
        time.sleep(0.1)
