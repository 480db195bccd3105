"""Run our own Prefect server on loopback, for as long as a flow, a schedule or a user needs it.

Prefect's own temporary server is not used: Ctrl-C on a terminal reaches it too, after which the
flow tried for three minutes to tell it so, and `kill -9` of the flow leaves it running.
"""

import atexit
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import BinaryIO

from thawline.errors import UserError
from thawline.flows import environment, prefect_server, processes
from thawline.runtime import workspace

HOST = prefect_server.HOST
_START_S = 240.0
"""The first start makes the database; on a busy machine that takes more than Prefect's 20 s."""


class Server:
    """A running server; its messages go to .thawline/prefect/server.log.

    Args:
        port: port; any free one if 0.
        lasting: True adds web pages and the service that makes runs of schedules.
    """

    def __init__(self, port: int = 0, *, lasting: bool = False) -> None:
        self.port = port or free_port()
        self._lasting = lasting
        self.process = self._start()

    @property
    def api(self) -> str:
        return f"http://{HOST}:{self.port}/api"

    def wait(self) -> None:
        """Wait until the server answers.

        Raises:
            UserError: it ended, or does not answer.
        """
        deadline = time.monotonic() + _START_S
        while not answers(self.api):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise UserError(f"Prefect's server did not start, see {_log_path()}")
            time.sleep(0.1)

    def restart_if_ended(self) -> bool:
        """Restart the server on the same port if it has ended; return True if so."""
        if self.process.poll() is None:
            return False
        self.process = self._start()
        self.wait()
        return True

    def end(self) -> None:
        processes.end(self.process, grace_s=1.0)

    def _start(self) -> subprocess.Popen[bytes]:
        words = [str(self.port)] + ([] if self._lasting else [prefect_server.BRIEF])
        with _log() as log:
            return subprocess.Popen(
                processes.python("thawline.flows.prefect_server", *words),
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def own_unless_named(*, lasting: bool = False) -> Server | None:
    """Start a server for this process's lifetime, unless PREFECT_API_URL names one already.

    Call it before Prefect is imported, and `wait` before the first call to Prefect. Exit handlers
    run in reverse: the server ends after Prefect has sent its last records.
    """
    if environment.server_is_named():
        return None
    server = Server(lasting=lasting)
    atexit.register(server.end)
    os.environ[environment.API] = server.api
    return server


def _environment() -> dict[str, str]:
    """Copy the environment without variables meant for the server's clients."""
    dropped = (environment.API, "PREFECT_API_AUTH_STRING", "PREFECT_API_KEY")
    return {key: value for key, value in os.environ.items() if key not in dropped}


def answers(api: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _log() -> BinaryIO:
    path = _log_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None


def _log_path() -> Path:
    return workspace.scratch() / "prefect" / "server.log"
