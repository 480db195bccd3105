"""The servers that `make ui` and `make up` start: on loopback alone, and not for foreign pages."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.flows.conftest import wait_for
from tests.tracking.conftest import Server, mlflow_server  # noqa: F401 - a fixture
from thawline.flows import server

pytestmark = pytest.mark.slow
JSON = {"Content_Type": "application/json"}
SEARCH = "api/2.0/mlflow/experiments/search?max_results=1"


def addresses(port: int) -> set[str]:
    """Where somebody listens on the port."""
    return {
        c.laddr[0]
        for c in psutil.net_connections("inet")
        if c.status == psutil.CONN_LISTEN and c.laddr[1] == port
    }


def ask(address: str, data: bytes | None = None, **headers: str) -> int:
    """Status; a header's name is written with _ for -."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(address, data, given)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_mlflow_answers_nobody_else(mlflow_server: Server) -> None:  # noqa: F811
    assert addresses(mlflow_server.port) == {"127.0.0.1"}
    search = f"{mlflow_server.uri}/{SEARCH}"
    assert ask(search) == 200
    # A page whose name was made to point here, and a form of a foreign page.
    assert ask(search, Host="evil.example") == 403
    assert ask(search, b"{}", Origin="https://evil.example", **JSON) == 403


@pytest.fixture(params=[False, True], ids=["of a flow", "lasting"])
def prefect(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[server.Server]:
    """Start it as a flow does, and as `make up` and `thawline serve` do."""
    (tmp_path / "prefect").mkdir()
    monkeypatch.setenv("THAWLINE_PROJECT", str(tmp_path))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    for name in [name for name in os.environ if name.startswith("PREFECT_SERVER_C")]:
        monkeypatch.delenv(name)
    started = server.Server(lasting=request.param)
    try:
        started.wait()
        yield started
    finally:
        started.end()


def test_prefect_answers_nobody_else(prefect: server.Server) -> None:
    assert addresses(prefect.port) == {"127.0.0.1"}
    health, write = f"{prefect.api}/health", f"{prefect.api}/flows/"
    own = prefect.api.removesuffix("/api")
    assert ask(health) == ask(health, Origin=own) == 200
    # A page whose name was made to point here, and pages of others, on this machine too.
    assert ask(health, Host="evil.example") == 403
    for origin in ("https://evil.example", "http://127.0.0.1:1", "null"):
        assert ask(health, Origin=origin) == 403
        assert ask(write, b'{"name": "theirs"}', Origin=origin, **JSON) == 403
        assert ask(write, b'{"name": "theirs"}', Origin=origin) == 403
        assert opened(f"{prefect.api}/events/in", origin) == opened(
            f"{prefect.api}/events/out", origin
        ) == 403  # fmt: skip
    # Without a token nothing is written, whoever asks; with it, by Prefect's own programs.
    assert ask(write, b'{"name": "theirs"}', **JSON) == 403
    assert opened(f"{prefect.api}/events/in", None) == 101
    code = (
        "from prefect.client.orchestration import get_client\n"
        "with get_client(sync_client=True) as client:\n"
        "    client.create_flow_from_name('ours')\n"
        "    print([flow.name for flow in client.read_flows()])\n"
    )
    env = os.environ | {"PREFECT_API_URL": prefect.api}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["['ours']"], done.stderr


def opened(address: str, origin: str | None) -> int:
    """Status of an answer to a page or program that asks for a websocket."""
    try:
        with connect(address.replace("http", "ws", 1), origin=origin) as socket:  # type: ignore[arg-type]
            return int(socket.response.status_code if socket.response else 0)
    except InvalidStatus as refused:
        return int(refused.response.status_code)


UI = "from thawline.tracking import server; server.ui({mlflow})"
UP = (
    "from thawline.flows import servers; "
    "servers.PORTS.update(mlflow={mlflow}, prefect={prefect}); servers.main()"
)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "SIGTERM"])
@pytest.mark.parametrize("program", [UI, UP], ids=["make ui", "make up"])
def test_nothing_of_a_server_outlives_what_started_it(
    tmp_path: Path, repository: Path, program: str, how: signal.Signals
) -> None:
    (tmp_path / ".dvc").mkdir()
    ports = {"mlflow": server.free_port(), "prefect": server.free_port()}
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "PREFECT_"))}
    kept |= {"PYTHONPATH": str(repository), "THAWLINE_PROJECT": str(tmp_path)}
    words = [sys.executable, "-c", program.format(**ports)]
    with (tmp_path / "log").open("wb") as log:
        started = subprocess.Popen(words, cwd=tmp_path, env=kept, stdout=log, stderr=log)
    wait_for(lambda: bool(addresses(ports["mlflow"])), 120)
    ours = psutil.Process(started.pid).children(recursive=True)
    assert ours
    started.send_signal(how)
    started.wait(timeout=20)
    _, alive = psutil.wait_procs(ours, timeout=20)
    for process in alive:
        process.kill()
    assert not alive
