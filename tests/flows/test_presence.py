"""Whether Prefect's server is there: one that answers, refuses, is gone or comes back."""

import socket
import threading
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from thawline.flows import environment, server, server_health


class Handler(BaseHTTPRequestHandler):
    code = 200

    def do_GET(self) -> None:
        assert self.path == "/api/health"
        self.send_response(self.code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    answering = HTTPServer((server.HOST, 0), Handler)
    thread = threading.Thread(target=answering.serve_forever)
    thread.start()
    address = f"http://{server.HOST}:{answering.server_port}/api"
    monkeypatch.setenv(environment.API, address)
    yield address
    answering.shutdown()
    answering.server_close()
    thread.join()


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> str:
    address = f"http://{server.HOST}:{server.free_port()}/api"
    monkeypatch.setenv(environment.API, address)
    return address


@pytest.mark.parametrize(
    ("code", "gone"), [(200, False), (401, False), (500, False), (502, True), (503, True)]
)
def test_a_server_that_refuses_is_there(
    api: str, monkeypatch: pytest.MonkeyPatch, code: int, gone: bool
) -> None:
    monkeypatch.setattr(Handler, "code", code)
    assert server_health.gone() == gone
    assert server_health.gone(api) == gone


def test_a_server_that_is_slow_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_health, "_ANSWER_S", 0.2)
    with socket.create_server((server.HOST, 0)) as listening:
        assert not server_health.gone(f"http://{server.HOST}:{listening.getsockname()[1]}/api")


def test_no_server_named_is_none_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(environment.API, raising=False)
    assert not server_health.gone()


def test_one_that_comes_back_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([True, True, False])
    monkeypatch.setattr(server_health, "gone", lambda: next(answers))
    with server_health.needed():
        pass
    assert list(answers) == []


def test_after_one_that_is_gone_prefect_tries_once(
    nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    monkeypatch.setattr(server_health, "PATIENCE_S", 0.0)
    assert server_health.gone()
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 5}):
        with pytest.raises(server_health.ServerGoneError), server_health.needed():
            pass
        assert PREFECT_CLIENT_MAX_RETRIES.value() == 0
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 5}):
        with pytest.raises(KeyboardInterrupt), server_health.needed():
            raise KeyboardInterrupt
        assert PREFECT_CLIENT_MAX_RETRIES.value() == 0


def test_a_task_that_failed_fails_the_flow() -> None:
    """Also where the run that it followed did not fail, or had not ended."""
    from prefect.states import Completed, Failed

    from thawline.flows.pipeline_flow import _conclusion

    states = {"ingest": Completed(name="Ran"), "evaluate": Failed(message="odd")}
    for code in (None, 0):
        run: Any = SimpleNamespace(code=code, last=deque(["a line"]), run_id=lambda: None)
        state = _conclusion(run, states)
        assert state.is_failed()
        assert state.message == "odd"
