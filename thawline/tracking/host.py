"""`python -m thawline.tracking.host`: loads mlflow once an execution, then forks for each stage.

Importing mlflow takes two to three seconds of a core; with a process of its own for every stage,
half of a small pipeline's time would be that. This one keeps no store open and starts no thread, so
that a fork is safe, and ends when the process that stands for the execution does.
"""

import os
import select
import shutil
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

from thawline.runtime import execution, listening
from thawline.tracking import address, shipper

_POLL_S = 0.5
_CHILDREN_S = 2.0
"""A stage that outlives its `thawline run` must not keep the parent open."""


def main(identifier: str, pid: str, started: str, path: str, first_fd: str) -> int:
    """Serve until the execution's process is gone.

    Args:
        identifier, pid, started: the execution.
        path: where to listen, in a folder of ours that is removed at the end.
        first_fd: an open socket to the stage that started this process.
    """
    executor = execution.Execution(identifier, int(pid), float(started))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # finished children vanish by themselves
    listener = socket.socket(socket.AF_UNIX)
    try:
        listening.hold(Path(path).parent)
        listener.bind(path)
        listener.listen()
        preload()
        _serve(socket.socket(fileno=int(first_fd)), listener)
        while execution.alive(executor):
            if select.select([listener], [], [], _POLL_S)[0]:
                _serve(listener.accept()[0], listener)
        _let_children_end()
        shipper.close_left_open(executor)
    finally:
        shutil.rmtree(Path(path).parent, ignore_errors=True)
    return 0


def _serve(connection: socket.socket, listener: socket.socket) -> None:
    """Let a child handle one stage."""
    if os.fork():
        connection.close()
        return
    code = 1
    try:
        listener.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        code = shipper.ship(connection)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)  # the folder of the socket is the parent's to remove


def _let_children_end() -> None:
    """They may be about to write to the run that is closed next."""
    deadline = time.monotonic() + _CHILDREN_S
    while time.monotonic() < deadline:
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:  # none left, since SIGCHLD is ignored
            return
        time.sleep(0.05)


def preload() -> None:
    """What a SQLite store would import at its first use."""
    if address.is_sqlite(address.uri()):
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
