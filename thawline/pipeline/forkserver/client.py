"""Having a stage that was started run as a fork of a process with the libraries loaded.

The process that DVC started stays, passes signals on and ends as the fork ends, so nobody has to
know. Where anything is unusual the stage runs by itself.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from thawline.dvc.hashes import Graph
from thawline.pipeline.forkserver import preload, protocol
from thawline.pipeline.forkserver.request import ProcessRequest
from thawline.runtime import execution, listening, openmp, torchrun, workspace

VARIABLE = "THAWLINE_FORKSERVER"
"""`off`, or the socket of a process that serves many executions."""
_OFF = "off"
_LOADING_S = 120.0
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def hand_over(stage: str, beside: Sequence[str]) -> None:
    """Run the stage in a fork and end as it does; return where that is not to be.

    Args:
        stage: name in dvc.yaml.
        beside: modules of the process between the two, which records the stage.
    """
    if sys.platform != "linux" or os.environ.get(VARIABLE) == _OFF or torchrun.launched():
        return
    current = execution.identify()
    if current.pid == os.getpid():  # nobody's stage
        return
    # What the fork's own ancestors tell would be another execution.
    order = ProcessRequest.of_this_process({VARIABLE: _OFF, execution.VARIABLE: current.id})
    if order and (address := _of_execution(current, stage, beside)):
        _ask(address, order)


def hand_over_program(module: str) -> None:
    """Hand over another program of a study, `python -m module`, in the same way."""
    address = os.environ.get(VARIABLE, _OFF)
    if address == _OFF:
        return
    openmp.wait_briefly()  # as that process does
    if order := ProcessRequest.of_this_process({VARIABLE: _OFF}, module):
        _ask(address, order)


def record(module: str, beside: Sequence[str]) -> None:
    """Have a process beside this one, which was not forked; see `execution.RECORDER`.

    Loading what it takes once for an execution is worth a process that does nothing else.

    Args:
        module: its program, which is told `--beside FD`.
        beside: modules that it uses; nothing to have none.
    """
    order = _order(module, ["--beside", "0"])
    if not beside or order is None or execution.RECORDER in os.environ:
        return
    ours, theirs = socket.socketpair()
    with theirs, Path(os.devnull).open("r+b") as nothing:
        fds = [theirs.fileno(), nothing.fileno(), nothing.fileno()]
        current, order = execution.identify(), replace(order, detached=True)
        for address in (*_known(execution.read(current.id) or {}), None):
            there = address or _recorders(current, beside)
            with suppress(OSError), _asked(there, order, fds) as connection:
                connection.sendall(protocol.GO)
                os.environ[execution.RECORDER] = str(ours.detach())
                return
    ours.close()


def _recorders(current: execution.Execution, beside: Sequence[str]) -> str:
    """Start a process that has these modules loaded; returns its address."""
    with execution.changed(current) as state:
        executor = (current.id, str(current.pid), str(current.started))
        _, folder = _start("", beside, *executor)
        state["recorders"] = str(folder / listening.SOCKET)
        return str(state["recorders"])


def _known(state: execution.State) -> list[str]:
    """Addresses of processes that may have these modules loaded."""
    named = os.environ.get(VARIABLE, _OFF)
    found = (None if named == _OFF else named, state.get("forkserver"), state.get("recorders"))
    return [address for address in found if address]


def _order(module: str, words: Sequence[str]) -> ProcessRequest | None:
    order = ProcessRequest.of_this_process({VARIABLE: _OFF}, module)
    command = [sys.executable, "-m", module, *words]
    return order and replace(order, argv=[module, *words], orig_argv=command, surroundings={})


def _ask(address: str, order: ProcessRequest) -> None:
    with suppress(OSError), _asked(address, order, [0, 1, 2]) as connection:
        _stand_in(connection)


@contextmanager
def _asked(address: str, order: ProcessRequest, fds: list[int]) -> Iterator[socket.socket]:
    """Yield the connection over which the order was taken.

    Raises:
        OSError: it was not.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_LOADING_S)
        connection.connect(address)
        protocol.send(connection, order.dump(), fds)
        if connection.recv(1) != protocol.TAKEN:
            raise OSError("not taken")
        connection.settimeout(None)
        yield connection


def _stand_in(connection: socket.socket) -> NoReturn:
    unheard: list[int] = []

    def forward(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        try:
            connection.send(bytes([signum]))
        except OSError:
            unheard.append(signum)

    before = {
        signum: handler
        for signum in _FORWARDED
        if (handler := signal.getsignal(signum)) != signal.SIG_IGN
    }
    try:
        for signum in before:
            signal.signal(signum, forward)
        connection.sendall(protocol.GO)
    except OSError:  # the stage runs here instead, and has to hear its signals itself
        for signum, handler in before.items():
            signal.signal(signum, handler)
        for missed in unheard:
            os.kill(os.getpid(), missed)
        raise
    status = protocol.wait(connection)
    if status is not None and os.WIFEXITED(status):
        os._exit(os.WEXITSTATUS(status))
    ended_by = signal.SIGKILL if status is None else os.WTERMSIG(status)
    if ended_by != signal.SIGKILL:
        signal.signal(ended_by, signal.SIG_DFL)
    os.kill(os.getpid(), ended_by)
    os._exit(128 + ended_by)


def _of_execution(current: execution.Execution, stage: str, beside: Sequence[str]) -> str | None:
    """Return the address of the execution's process; the first stage starts it if others follow."""
    with execution.changed(current) as state:
        if address := os.environ.get(VARIABLE) or state.get("forkserver"):
            return str(address)
        if not _followed(stage):
            return None
        executor = (current.id, str(current.pid), str(current.started))
        _, folder = _start(stage, beside, *executor)
        state["forkserver"] = str(folder / listening.SOCKET)
        return str(folder / listening.SOCKET)


def _followed(stage: str) -> bool:
    stages = list(Graph(workspace.workspace()).stages)
    return stage in stages[:-1]


@contextmanager
def running(beside: Sequence[str]) -> Iterator[dict[str, str]]:
    """Keep a process for the block; yield what executions need in their environment to use it."""
    if sys.platform != "linux" or os.environ.get(VARIABLE):
        yield {}
        return
    process, folder = _start(next(iter(preload.LIBRARIES)), beside)
    try:
        yield {VARIABLE: str(folder / listening.SOCKET)}
    finally:
        listening.end(process, folder)


def _start(
    first: str, beside: Sequence[str], *executor: str
) -> tuple[subprocess.Popen[bytes], Path]:
    environ = dict(os.environ)
    openmp.wait_briefly(environ)
    program = f"{__package__}.server"
    if not first:
        program = f"{__package__}.recorders"
        environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with workspace.log_file("forkserver") as log:
        return listening.start(program, [first, ",".join(beside), *executor], environ, log)
