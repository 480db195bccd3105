"""A stage's end of its record: a journal, and a process beside it that brings it to MLflow.

Imports nothing heavy: `apply` is the other end. It runs in the process between the stage and the
fork server where there is one, else in a child, so that MLflow loads beside the stage's libraries.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

from thawline.errors import UserError
from thawline.runtime import execution, safe_json, workspace
from thawline.tracking import address
from thawline.tracking.journal import Event, Journal

LOG = "tracking"
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Of a process that loads mlflow: no threads, and none that wait by spinning."""
PROGRAM = "thawline.tracking.apply"


class Writer:
    """Appends the events of one stage's run, and hears what becomes of them."""

    def __init__(self, start: Event) -> None:
        self._other = _Other.beside_us()
        self._journal = Journal.create(start)
        self._kept: list[Event] = []
        self._ready, self._ended = threading.Event(), threading.Event()
        self._error: str | None = None
        self._lock, self._finishing = threading.Lock(), False
        self._other.say(json.dumps(str(self._journal.folder)))
        threading.Thread(target=self._listen, daemon=True).start()

    def append(self, event: Event) -> None:
        """Write an event down; what a full disk does not take comes with the next one.

        Raises:
            OSError: a file that belongs to it cannot be copied.
        """
        if self._error is not None and not self._finishing:
            return
        self._kept.append(self._journal.with_copies(event))
        with suppress(OSError):
            while self._kept:
                self._journal.write(self._kept[0])
                del self._kept[0]

    def require(self) -> None:
        """Wait until the run is open.

        Raises:
            UserError: the store cannot be used.
        """
        self._ready.wait()
        if self._error is not None:
            raise UserError(self._error)

    def finish(self) -> bool:
        """Begin the end: whatever happens from now on, the record stays.

        Returns:
            False where no run was opened, so that there is no record.
        """
        with self._lock:
            self._finishing = self._error is None
            return self._finishing

    def close(self, timeout_s: float) -> None:
        """Wait until everything is stored, but not for ever."""
        if self._kept:
            problem = f"{len(self._kept)} event(s) could not be written to {self._journal.folder}"
            warn(f"{problem} and are lost")
        self._other.say("")
        self._ended.wait(timeout_s)

    def _listen(self) -> None:
        error = (
            f"tracking did not start, see {workspace.log_path(LOG)}; {address.HOW_TO_SWITCH_OFF}"
        )
        done = False
        with suppress(OSError, ValueError):
            while not done and (line := self._other.replies.readline()):
                reply = safe_json.loads(line)
                error = reply.get("error", error)
                done = bool({"done", "error"} & reply.keys())
                if "warning" in reply:
                    warn(reply["warning"])
                if "ready" in reply:
                    self._ready.set()
        if not self._ready.is_set():
            self._refused(error)
        elif not done:
            log = workspace.log_path(LOG)
            warn(f"ended unexpectedly, see {log}; `thawline log` sends the record later")
        self._ended.set()

    def _refused(self, error: str) -> None:
        with self._lock:
            self._error = error
            if self._finishing:
                warn(f"{error}; `thawline log` sends the record later")
            else:
                self._journal.remove()
        self._ready.set()


class _Other:
    """The process that applies journals; one serves all that a process writes in its life."""

    _only: "_Other | None" = None

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.replies: IO[bytes] = connection.makefile("rb")

    @classmethod
    def beside_us(cls) -> "_Other":
        if cls._only is None or not cls._only.say(""):
            given = os.environ.pop(execution.RECORDER, None)
            cls._only = cls(socket.socket(fileno=int(given)) if given else _start())
        return cls._only

    def say(self, line: str) -> bool:
        """Name a journal that begins, as JSON, or with an empty line say that it is complete."""
        try:
            self._connection.sendall(line.encode() + b"\n")
        except OSError:
            return False
        return True


def modules(setting: bool) -> tuple[str, ...]:
    """Name what the process beside a stage loads; nothing where tracking is switched off.

    Args:
        setting: `tracking.enabled` of params.yaml.
    """
    if not address.enabled(setting):
        return ()
    # What such a store would import at its first use.
    sqlite = ("mlflow.store.tracking.sqlalchemy_store",)
    return (PROGRAM, *(sqlite if address.is_sqlite(address.uri()) else ()))


def warn(text: str) -> None:
    print(f"tracking: {text}", file=sys.stderr, flush=True)


def reply(connection: socket.socket, **values: Any) -> None:
    """Answer a stage; one that is gone hears nothing, its record still counts."""
    with suppress(OSError):
        connection.sendall(json.dumps(values).encode() + b"\n")


def _start() -> socket.socket:
    ours, theirs = socket.socketpair()
    environ: Mapping[str, str] = os.environ | ENVIRONMENT
    with theirs, workspace.log_file(LOG) as log:
        subprocess.Popen(
            [sys.executable, "-m", PROGRAM, "--beside", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[theirs.fileno()],
            env=environ,
            start_new_session=True,  # Ctrl-C is for the stage; this one ends by itself
        )
    return ours
