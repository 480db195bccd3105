"""What stages fork from: `... forkserver.server FD FOLDER FIRST [ID PID STARTED]`.

It ends with the execution it was started for, else with the process that started it. A stage that
asks gets a watcher, forked from here, which forks the stage and stands between the two.
"""

import gc
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from thawline.pipeline.forkserver import preload, protocol, worker
from thawline.pipeline.forkserver.request import ProcessRequest, surroundings
from thawline.runtime import execution, locks

_POLL_S = 0.5
_ASKING_S = 5.0
"""For a stage that has connected to say what it wants."""


def main(listener_fd: str, folder: str, first: str, *executor: str) -> None:
    """Load, and serve whoever asks meanwhile.

    Args:
        listener_fd: of a socket, in a folder of ours that is removed at the end.
        first: the stage whose libraries come first.
        executor: the execution to end with.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # watchers that have ended vanish by themselves
    alive, ours = _alive(*executor), surroundings()
    try:
        with socket.socket(fileno=int(listener_fd)) as listener:
            for _ in preload.steps(first):
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
            connection.sendall(protocol.OTHER if order.surroundings != ours else protocol.TAKEN)
            if order.surroundings == ours and connection.recv(1) == protocol.GO and os.fork() == 0:
                listener.close()
                _watch(connection, order, fds)
        except (OSError, ValueError, TypeError):  # killed while it asked
            return
        finally:
            for fd in fds:
                os.close(fd)


def _watch(connection: socket.socket, order: ProcessRequest, fds: list[int]) -> NoReturn:
    """Fork the stage, pass signals on to it, and tell how it ended."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connection.settimeout(None)
        pid = os.fork()
        if pid == 0:
            connection.close()
            worker.run(order, fds)
        for fd in fds:
            os.close(fd)
        protocol.pass_signals(connection, pid)
        connection.sendall(protocol.status(os.waitpid(pid, 0)[1]))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
