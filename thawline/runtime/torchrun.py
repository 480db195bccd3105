"""Start processes that train together, and tell by torchrun's variables which one this is.

Imports nothing heavy: what only writes or logs asks here whether it is its turn.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from thawline.errors import UserError

_POLL_S = 0.5
_GRACE_S = 10.0
"""Time for the first process to notice by itself that another is gone, and to report it in
order."""


def rank() -> int:
    """Return this process's rank: 0 for the one that logs and writes, also when alone."""
    return int(os.environ["RANK"]) if launched() else 0


def launched() -> bool:
    """Return True where a launcher has started this process as one of several."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def size() -> int:
    return int(os.environ["WORLD_SIZE"]) if launched() else 1


def is_main() -> bool:
    return rank() == 0


@contextmanager
def beside(count: int, threads: int) -> Iterator[None]:
    """Run this program `count` times at once on this machine, this process being the first.

    Args:
        count: number of processes.
        threads: OpenMP threads of each.

    Raises:
        UserError: another process ended with a failure; the message has its last line.
    """
    shared = _variables(count, threads)
    before = {name: os.environ.get(name) for name in (*shared, *_place(0))}
    os.environ.update(shared | _place(0))
    helpers = [_Helper(number, shared) for number in range(1, count)]
    done = threading.Event()
    threading.Thread(target=_watch, args=(helpers, done), daemon=True).start()
    try:
        yield
        for helper in helpers:
            helper.wait()
    except RuntimeError:
        # What a collective call says when a connection is lost tells a person nothing.
        time.sleep(_POLL_S)
        _raise_of(helpers)
        raise
    finally:
        done.set()
        for helper in helpers:
            helper.end()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class _Helper:
    """Another process of the same program; its output is kept in case it fails."""

    def __init__(self, number: int, shared: dict[str, str]) -> None:
        self._number = number
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]],
            env=os.environ | shared | _place(number),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )

    def failure(self) -> str:
        """Describe the process's failure; empty while all is well."""
        code = self._process.poll()
        if not code:
            return ""
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), f"exit code {code}")
        return f"training.devices: process {self._number + 1} ended: {last.strip()}"

    def wait(self) -> None:
        self._process.wait()
        _raise_of([self])

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()  # nothing of its own is written
            self._process.wait()
        self._output.close()


def _raise_of(helpers: list[_Helper]) -> None:
    for helper in helpers:
        if failure := helper.failure():
            raise UserError(failure)


def _watch(helpers: list[_Helper], done: threading.Event) -> None:
    """End this process when another failed and it does not notice: NCCL waits for long."""
    while not done.wait(_POLL_S):
        failures = [failure for helper in helpers if (failure := helper.failure())]
        if failures and not done.wait(_GRACE_S):
            print(failures[0], file=sys.stderr, flush=True)
            os._exit(UserError.exit_code)


def _variables(count: int, threads: int) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": str(threads),
    }


def _place(number: int) -> dict[str, str]:
    return {"RANK": str(number), "LOCAL_RANK": str(number)}
