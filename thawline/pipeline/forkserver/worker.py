"""Becoming, in a fork, the program that somebody started."""

import atexit
import importlib
import io
import os
import runpy
import signal
import sys
import traceback
from typing import NoReturn

from setproctitle import setproctitle

from thawline.pipeline.forkserver.request import ProcessRequest

_OURS = ("thawline", "stages")


def run(order: ProcessRequest, fds: list[int]) -> NoReturn:
    """Run a program to its end, in this fork.

    Args:
        order: the program, with its surroundings.
        fds: its standard streams.
    """
    code = 1
    try:
        _become(order, fds)
        runpy.run_module(order.module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _become(order: ProcessRequest, fds: list[int]) -> None:
    interrupt = signal.default_int_handler if order.interruptible else signal.SIG_IGN
    signal.signal(signal.SIGINT, interrupt)
    for standard, fd in enumerate(fds):
        os.dup2(fd, standard)
        os.close(fd)
    sys.stdin, sys.stdout, sys.stderr = (
        _stream(0, "r", order), _stream(1, "w", order), _stream(2, "w", order)
    )  # fmt: skip
    setproctitle(" ".join(order.orig_argv))  # what `ps` shows
    sys.argv, sys.orig_argv = order.argv, order.orig_argv
    adopt(order)


def adopt(order: ProcessRequest) -> None:
    """Take over an order's folder, variables and code."""
    os.umask(order.umask)
    os.chdir(order.cwd)
    os.environ.clear()
    os.environ.update(order.environ)
    sys.path = order.path
    # The code that runs is that of its folder, which may be another working tree than ours.
    for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
        del sys.modules[name]
    importlib.invalidate_caches()


def _stream(fd: int, mode: str, order: ProcessRequest) -> io.TextIOWrapper:
    """As `PYTHONUNBUFFERED` makes them: a stage's lines are to be seen as they are written."""
    binary = io.FileIO(fd, mode, closefd=False)
    buffered = io.BufferedReader(binary) if mode == "r" else binary
    errors = "backslashreplace" if fd == 2 else order.errors
    return io.TextIOWrapper(buffered, order.encoding, errors, write_through=True)  # type: ignore[arg-type]


def _leave(code: int) -> NoReturn:
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
