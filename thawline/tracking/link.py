"""Connections to the process that talks to MLflow. Imports nothing heavy."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from thawline.errors import UserError
from thawline.runtime import execution, listening, safe_json, workspace
from thawline.tracking import address, preloaded

_LOG = "tracking"


class Link:
    """Events go out, replies come in; `host` and `shipper` are the other end.

    The first stage of an execution starts that process at once, so that mlflow loads while the
    stage loads its own libraries; the others find it running.
    """

    def __init__(self, current: execution.Execution, start: Mapping[str, Any]) -> None:
        self._socket = _join(current) or _start_host(current)
        self._ready, self._ended = threading.Event(), threading.Event()
        self._error: str | None = None
        self._deaf = False
        threading.Thread(target=self._listen, daemon=True).start()
        self.send(start)

    def send(self, event: Mapping[str, Any]) -> None:
        """Hand an event over; never raises, since a result is worth more than its record."""
        if self._deaf:
            return
        try:
            self._socket.sendall(json.dumps(event, default=str).encode() + b"\n")
        except OSError:
            self._deaf = True

    def require(self) -> None:
        self._ready.wait()
        if self._error is not None:
            raise UserError(self._error)

    def close(self, event: Mapping[str, Any], timeout_s: float) -> None:
        """Send the last event and wait until everything is stored, but not for ever."""
        self.send(event)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._ended.wait(timeout_s)

    def _listen(self) -> None:
        done = False
        try:
            for line in self._socket.makefile("rb"):
                reply = safe_json.loads(line)
                self._error = reply.get("error", self._error)
                done = done or "done" in reply
                if "warning" in reply:
                    warn(reply["warning"])
                if "ready" in reply:
                    self._ready.set()
        except (OSError, ValueError):
            pass
        self._lost(done)
        self._ended.set()

    def _lost(self, done: bool) -> None:
        """The other end is closed: after its last word, or because it died."""
        if not self._ready.is_set():
            log = workspace.log_path(_LOG)
            died = f"tracking did not start, see {log}; {address.HOW_TO_SWITCH_OFF}"
            self._error = self._error or died
            self._ready.set()
        elif not done:
            warn(
                f"ended unexpectedly, see {workspace.log_path(_LOG)}; the stage goes on without it"
            )


def close_parent(
    current: execution.Execution, event: Mapping[str, Any], params: Mapping[str, Any], start_ms: int
) -> bool:
    """Have the execution's host close the parent run: it has mlflow loaded already.

    Returns:
        Whether it did; with nothing to run there is no host.
    """
    connection = _join(current)
    if connection is None:
        return False
    order = {
        "event": "close parent", "pid": os.getpid(), "t": start_ms, "close": event,
        "execution": asdict(current), "params": params,
    }  # fmt: skip
    try:
        with connection, connection.makefile("rb") as replies:
            connection.sendall(json.dumps(order, default=str).encode() + b"\n")
            reply = safe_json.loads(replies.readline())
    except (OSError, ValueError):
        return False
    if reply["warning"]:
        warn(reply["warning"])
    return True


def _join(current: execution.Execution) -> socket.socket | None:
    """A connection to the execution's host, if one runs."""
    path = (execution.read(current.id) or {}).get("host")
    if not path:
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        return None
    return connection


def _start_host(current: execution.Execution) -> socket.socket:
    path = str(listening.new_folder() / "host")
    with execution.changed(current) as state:
        state["host"] = path
    ours, theirs = socket.socketpair()
    words = (current.id, current.pid, current.started, path)
    with theirs, workspace.log_file(_LOG) as log:
        if preloaded.fork_host(words, theirs, log.fileno()):
            return ours
        subprocess.Popen(
            [sys.executable, "-m", "thawline.tracking.host", *map(str, (*words, theirs.fileno()))],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[theirs.fileno()],
            env=os.environ | preloaded.ENVIRONMENT,
            start_new_session=True,  # Ctrl-C is for the stage; this one ends by itself
        )
    return ours


def warn(text: str) -> None:
    print(f"tracking: {text}", file=sys.stderr, flush=True)
