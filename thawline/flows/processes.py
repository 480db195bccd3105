"""Start child processes that end with us: in groups of their own, and told when we die."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_GRACE_S = 3.5
"""Between SIGTERM and SIGKILL: `thawline run` takes two seconds, and all must end within five."""
_WATCHED = "import sys; from thawline.runtime import locks; locks.die_with_parent({parent}); "


def python(module: str, *words: str) -> list[str]:
    """Build the command `python -m module words` that gets SIGTERM when its parent thread ends.

    `kill -9` of the parent included. Not by preexec_fn, which may hang in a process with threads,
    and Prefect has many.
    """
    run = f"import runpy; sys.argv = sys.argv[1:]; runpy.run_module({module!r}, None, '__main__')"
    watched = _WATCHED.format(parent=os.getpid())
    return [sys.executable, "-c", watched + run, module, *words]


def end(process: subprocess.Popen[bytes], grace_s: float = _GRACE_S) -> None:
    """Send SIGTERM to the process's group, then SIGKILL to it and the groups it started."""
    if process.poll() is not None:
        return
    groups = _groups(process.pid)
    _signal([process.pid], signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    if process.poll() is None:
        _signal(groups, signal.SIGKILL)
        process.wait()


def _groups(pid: int) -> list[int]:
    """List the group of a process and those of its children: dvc is in one of its own."""
    found = {pid}
    with suppress(psutil.Error, ProcessLookupError):
        found |= {os.getpgid(child.pid) for child in psutil.Process(pid).children()}
    return sorted(found)


def _signal(groups: Sequence[int], signum: int) -> None:
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signum)


class Lines:
    """A command whose output, both streams together, is read line by line.

    Args:
        folder: where it runs.
        env: variables added to our environment.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self, timeout_s: float | None) -> str | None:
        """Return the next line without its end; None when there are no more.

        Raises:
            TimeoutError: none came in time.
        """
        try:
            return self._lines.get(timeout=timeout_s if timeout_s is None else max(0.0, timeout_s))
        except queue.Empty:
            raise TimeoutError from None

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self._lines.put(line.decode(errors="replace").rstrip("\r\n"))
        self._lines.put(None)


def output(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> list[str]:
    """Run a command to its end and return its lines; whatever interrupts us ends it too.

    Raises:
        CommandError: it failed; the message is its last line, or the last that names an error.
    """
    run, lines = Lines(command, folder, env), []
    try:
        while (line := run.next(None)) is not None:
            lines.append(line)
        code = run.process.wait()
    finally:
        end(run.process)
    if code:
        raise CommandError(code, _reason(lines) or f"{command[0]}: exit code {code}")
    return lines


def _reason(lines: Sequence[str]) -> str:
    """Return the last line that names an error, else the last line.

    DVC's last lines only tell where to get help.
    """
    said = [line for line in lines if line.strip()]
    named = [line for line in said if line.startswith("ERROR")]
    return (named or said or [""])[-1]


class CommandError(Exception):
    """Raised when a command failed."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def one_line(error: BaseException) -> str:
    """Format an error's message in one line; its class name where it has no message."""
    return " ".join(str(error).split()) or type(error).__name__
