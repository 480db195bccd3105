"""`python -m thawline.tracking.preloaded FD FOLDER`: loads mlflow once, for many executions.

Each execution has a `host` that loads mlflow, two seconds of a core. Of a study with many short
trials those would be a tenth of the time, so it keeps this process, from which hosts are forked.
Like a host it keeps no store open and starts no thread, so that a fork is safe. Whoever asks for a
host loads nothing heavy.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from thawline.runtime import listening, locks

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Of a process that loads mlflow: no threads, and none that wait by spinning."""
VARIABLE = "THAWLINE_PRELOADED"
"""Names the socket of such a process to the stages of executions."""
_TAKEN = b"taken\n"
_ANSWER_S = 30.0


@contextmanager
def running(wanted: bool) -> Iterator[dict[str, str]]:
    """Such a process for the block, or none; yields what executions need in their environment."""
    if not wanted:
        yield {}
        return
    module = "thawline.tracking.preloaded"
    process, folder = listening.start(module, [], os.environ | ENVIRONMENT, subprocess.DEVNULL)
    try:
        yield {VARIABLE: str(folder / listening.SOCKET)}
    finally:
        listening.end(process, folder)


def fork_host(words: Sequence[object], connection: socket.socket, log_fd: int) -> bool:
    """Have a host begin in our folder and environment.

    Args:
        words: the host's but the last, see `host.main`.
        connection: what it serves first.
        log_fd: where its messages go.

    Returns:
        Whether it began; no, where there is no such process.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return False
    order = {
        "words": [str(word) for word in words],
        "cwd": str(Path.cwd()),
        "env": dict(os.environ),
    }
    with suppress(OSError), socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(_ANSWER_S)
        asked.connect(path)
        socket.send_fds(asked, [b"\n"], [connection.fileno(), log_fd])
        asked.sendall(json.dumps(order).encode())
        asked.shutdown(socket.SHUT_WR)
        return asked.recv(len(_TAKEN)) == _TAKEN
    return False


def main(listener_fd: str) -> NoReturn:
    """Serve until the process that started us ends."""
    from thawline.tracking import host  # loads mlflow, which those who only ask for it do not

    locks.die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # finished children vanish by themselves
    with socket.socket(fileno=int(listener_fd)) as listener:
        host.preload()
        while True:
            with listener.accept()[0] as connection:
                _serve(connection, listener)


def _serve(connection: socket.socket, listener: socket.socket) -> None:
    try:
        _, fds, *_ = socket.recv_fds(connection, 1, 2)
        order = json.loads(connection.makefile("rb").read())
    except (OSError, ValueError):  # killed while it asked
        return
    try:
        # Before the fork: who is tired of waiting has a host of its own, and two would share it.
        connection.sendall(_TAKEN)
        if os.fork() == 0:
            listener.close()
            _become_host(order["words"], order["cwd"], order["env"], *fds)
    except OSError:
        return
    finally:
        for fd in fds:
            os.close(fd)


def _become_host(
    words: Sequence[str], cwd: str, env: dict[str, str], first_fd: int, log_fd: int
) -> NoReturn:
    from thawline.tracking import host

    code = 1
    try:
        os.setsid()
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        for standard in (1, 2):
            os.dup2(log_fd, standard)
        identifier, pid, started, path = words
        code = host.main(identifier, pid, started, path, str(first_fd))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
