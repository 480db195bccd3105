"""Serve forks with the libraries: `... server FD FOLDER FIRST BESIDE [ID PID STARTED]`.

It ends with the execution it was started for, else with the process that
started it. A stage that asks gets a watcher, forked from here, which forks the stage, stands
between the two and brings the stage's record to MLflow.
"""

import gc
import importlib
import os
import select
import shutil
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from thawline.pipeline.forkserver import preload, protocol, worker
from thawline.pipeline.forkserver.request import ProcessRequest, surroundings
from thawline.runtime import execution, locks

_POLL_S = 0.5
_ASKING_S = 5.0
"""For a stage that has connected to say what it wants."""


def main(listener_fd: str, folder: str, first: str, beside: str, *executor: str) -> None:
    """Load, and serve whoever asks meanwhile.

    Args:
        listener_fd: descriptor of the socket that listens.
        folder: where the socket lies; removed at the end.
        first: the stage whose libraries come first.
        beside: modules that come with them, see `preload.steps`; commas between.
        executor: the execution to end with.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # watchers that have ended vanish by themselves
    alive, ours = _alive(*executor), surroundings()
    try:
        with socket.socket(fileno=int(listener_fd)) as listener:
            for _ in preload.steps(first, filter(None, beside.split(","))):
                while _asked(listener, 0.0):
                    _serve(listener, ours)
                if not alive():
                    return
            gc.freeze()  # or a fork's first collection would copy all of it
            while alive():
                if _asked(listener, _POLL_S):
                    _serve(listener, ours)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)  # a thread that a library started is not waited for


def _alive(*executor: str) -> Callable[[], bool]:
    if not executor:
        locks.die_with_parent()
        return lambda: True
    identifier, pid, started = executor
    current = execution.Execution(identifier, int(pid), float(started))
    return lambda: execution.alive(current)


def _asked(listener: socket.socket, timeout_s: float) -> bool:
    return bool(select.select([listener], [], [], timeout_s)[0])


def _serve(listener: socket.socket, ours: dict[str, object]) -> None:
    connection = listener.accept()[0]
    with connection:
        connection.settimeout(_ASKING_S)
        fds: list[int] = []
        try:
            text, fds = protocol.receive(connection)
            order = ProcessRequest.load(text)
            # Said before the fork: who no longer waits runs by himself, and two would collide.
            fits = order.surroundings in (ours, {})
            connection.sendall(protocol.TAKEN if fits else protocol.OTHER)
            if fits and connection.recv(1) == protocol.GO and os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                if order.detached:
                    connection.close()
                    worker.run(order, fds)
                _watch(connection, order, fds)
        except (OSError, ValueError, TypeError):  # killed while it asked
            return
        finally:
            for fd in fds:
                os.close(fd)


def _watch(connection: socket.socket, order: ProcessRequest, fds: list[int]) -> NoReturn:
    """Fork the stage, pass signals on to it, tell how it ended, and record what it says."""
    try:
        connection.settimeout(None)
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            connection.close()
            ours.close()
            order.environ[execution.RECORDER] = str(theirs.fileno())
            worker.run(order, fds)
        theirs.close()
        for fd in fds:
            os.close(fd)
        recording = threading.Thread(target=_record, args=(ours, order))
        recording.start()
        status = protocol.status(protocol.Signals(connection, pid).wait())
        with suppress(OSError):  # nobody waits for it any more
            connection.sendall(status)
        recording.join()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _record(connection: socket.socket, order: ProcessRequest) -> None:
    """Serve a stage once it says anything, in its folder and by its code."""
    with connection:  # a stage that waits for an answer must see that there will be none
        try:
            if connection.recv(1, socket.MSG_PEEK):
                worker.adopt(order)
                importlib.import_module("thawline.tracking.apply").beside(connection)
        except BaseException:
            traceback.print_exc()


if __name__ == "__main__":
    main(*sys.argv[1:])
