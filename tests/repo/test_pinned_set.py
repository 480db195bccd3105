"""The pinned packages work together, where the newest ones do not (tests/pipeline has DVC's queue).

With a wrong fastapi Prefect's server does not start, or refuses to list anything; with a wrong
sqlalchemy it looks healthy and its schedules never fire.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.tracking.conftest import Server

pytestmark = [pytest.mark.slow, pytest.mark.ci]
LISTS = {
    "deployment": "ticking",
    "flow": "tick",
    "flow-run": "tick",
    "work-pool": "here",
    "work-queue": "default",
    "task-run": "",
    "artifact": "",
    "block": "",
    "variable": "",
    "concurrency-limit": "",
    "global-concurrency-limit": "",
    "automation": "",
}
"""Command of Prefect's that has an `ls` -> a word that is to be among what it lists."""
READ = """\
from prefect.client.orchestration import get_client

with get_client(sync_client=True) as client:
    print(len(client.read_flows()), len(client.read_deployments()), end=" ")
    print(bool(client.read_flow_runs()), len(client.read_work_pools()), end=" ")
    print(len(client.read_task_runs()))
"""
FLOW = """\
from datetime import timedelta
from pathlib import Path
from prefect import flow
from prefect.schedules import Cron, Interval

@flow
def tick() -> None:
    with (Path(__file__).parent / "fired").open("a") as file:
        file.write("x")

if __name__ == "__main__":
    tick.serve(name="ticking", schedules=[Interval(timedelta(seconds=3)), Cron("0 3 * * *")])
"""


@contextmanager
def _running(folder: Path, env: dict[str, str], *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command with all it starts; ended with them."""
    with (folder / f"{Path(command[-1]).stem}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(condition: Callable[[], object], seconds: float, folder: Path) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        said = "\n".join(log.read_text()[-2000:] for log in folder.glob("*.log"))
        assert time.monotonic() < deadline, said
        time.sleep(0.2)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _said(folder: Path, env: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        (sys.executable, *command), cwd=folder, env=env | {"COLUMNS": "200"}, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def _list_everything(folder: Path, env: dict[str, str]) -> None:
    _said(folder, env, "-m", "prefect", "work-pool", "create", "--type", "process", "here")
    for command, listed in LISTS.items():
        assert listed in _said(folder, env, "-m", "prefect", command, "ls")
    assert _said(folder, env, "-c", READ).split() == ["1", "1", "True", "1", "0"]


def test_a_scheduled_prefect_flow_fires_and_all_is_listed(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    api = f"http://127.0.0.1:{port}/api"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    env = kept | {
        "PREFECT_HOME": str(tmp_path / "home"),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    }
    (tmp_path / "ticking.py").write_text(FLOW)
    start = ("-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port)
    with _running(tmp_path, env, sys.executable, *start):
        _wait(lambda: _answers(f"{api}/health"), 240, tmp_path)
        with _running(tmp_path, env, sys.executable, "ticking.py"):
            fired = tmp_path / "fired"
            _wait(lambda: fired.exists() and len(fired.read_text()) >= 2, 240, tmp_path)
        _list_everything(tmp_path, env)


def test_an_mlflow_server_answers(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    try:
        client = MlflowClient(server.uri)
        run = client.create_run(client.create_experiment("one"))
        client.log_metric(run.info.run_id, "accuracy", 0.5)
        assert client.get_run(run.info.run_id).data.metrics == {"accuracy": 0.5}
    finally:
        server.kill()
