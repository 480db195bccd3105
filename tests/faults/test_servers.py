"""The servers that `make ui` and `make up` start: on loopback alone, and not for foreign pages."""

import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from flows import server
from tests.tracking.conftest import Server, mlflow_server  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow
SEARCH = "api/2.0/mlflow/experiments/search?max_results=1"


def addresses(port: int) -> set[str]:
    """Where somebody listens on the port."""
    return {
        c.laddr[0]
        for c in psutil.net_connections("inet")
        if c.status == psutil.CONN_LISTEN and c.laddr[1] == port
    }


def ask(server: Server, data: bytes | None = None, **headers: str) -> int:
    request = urllib.request.Request(f"{server.uri}/{SEARCH}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_mlflow_answers_nobody_else(mlflow_server: Server) -> None:  # noqa: F811
    assert addresses(mlflow_server.port) == {"127.0.0.1"}
    assert ask(mlflow_server) == 200
    # A page whose name was made to point here, and a form of a foreign page.
    assert ask(mlflow_server, Host="evil.example") == 403
    json = {"Content-Type": "application/json"}
    assert ask(mlflow_server, b"{}", Origin="https://evil.example", **json) == 403


def test_prefect_listens_on_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prefect").mkdir()
    monkeypatch.setenv("THAWLINE_PROJECT", str(tmp_path))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    started = server.Server(lasting=True)
    try:
        started.wait()
        assert addresses(started.port) == {"127.0.0.1"}
    finally:
        started.end()
