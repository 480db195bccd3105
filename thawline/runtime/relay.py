"""Passes a child's output on as it comes, through a pseudo-terminal or pipes, and reads along."""

import fcntl
import os
import pty
import re
import select
import selectors
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

_DRAIN_S = 0.5
_SIZE = 1 << 16
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LINES = (
    (re.compile(r"Running stage '([^']+)':\s*"), "running"),
    (re.compile(r"Stage '([^']+)' is cached - skipping run, checking out outputs\s*"), "restored"),
    (re.compile(r"Stage '([^']+)' didn't change, skipping\s*"), "skipped"),
)


def status(line: str) -> tuple[str, str] | None:
    """Parse a line of DVC's: the stage, and running, restored or skipped; else None."""
    for pattern, word in _LINES:
        # The whole line: a stage may print such words in the name of a class.
        if found := pattern.fullmatch(_ANSI.sub("", line)):
            return found[1], word
    return None


class Watcher:
    """What DVC says of each stage: `fates` is stage -> running, restored or skipped."""

    def __init__(self) -> None:
        self.fates: dict[str, str] = {}
        self._rest: dict[int, str] = {}

    def feed(self, source: int, data: bytes) -> None:
        """Bytes as they come from one of the child's streams, lines cut anywhere."""
        text = self._rest.get(source, "") + data.decode(errors="replace")
        *lines, self._rest[source] = re.split(r"[\r\n]", text)
        for line in lines:
            if found := status(line):
                stage, word = found
                self.fates[stage] = word


class Relay:
    """The child's ends of its output streams, and the loop that empties ours.

    Args:
        terminal: give the child a terminal, so that its progress bars work; both its streams then
            come out on our standard output.
    """

    def __init__(self, terminal: bool) -> None:
        self._sizes: Any = None
        if terminal:
            ours, theirs = pty.openpty()
            self._targets = {ours: 1}
            self.child_stdout = self.child_stderr = theirs
            self._follow_size(ours)
        else:
            out, self.child_stdout = os.pipe()
            err, self.child_stderr = os.pipe()
            self._targets = {out: 1, err: 2}

    def pump(self, process: subprocess.Popen[bytes], feed: Callable[[int, bytes], None]) -> None:
        """Until the streams end, or the child has ended and what it left running stays silent."""
        for end in {self.child_stdout, self.child_stderr}:
            os.close(end)  # else end of file would never come
        sys.stdout.flush()
        with selectors.DefaultSelector() as selector:
            for source in self._targets:
                selector.register(source, selectors.EVENT_READ)
            self._loop(selector, process, feed)
        self._restore()

    def _loop(
        self,
        selector: selectors.BaseSelector,
        process: subprocess.Popen[bytes],
        feed: Callable[[int, bytes], None],
    ) -> None:
        ended: float | None = None
        while selector.get_map():
            ready = selector.select(timeout=0.1)
            for key, _ in ready:
                data = _read(key.fd)
                if data:
                    feed(key.fd, data)
                    _write(self._targets[key.fd], data)
                else:
                    selector.unregister(key.fd)
            if process.poll() is not None and not ready:
                ended = ended or time.monotonic()
                if time.monotonic() - ended > _DRAIN_S:
                    return

    def _follow_size(self, terminal: int) -> None:
        def copy(*_: object) -> None:
            try:
                size = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
                fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
            except OSError:
                pass

        copy()
        self._sizes = signal.signal(signal.SIGWINCH, copy)

    def _restore(self) -> None:
        if self._sizes is not None:
            signal.signal(signal.SIGWINCH, self._sizes)
        for source in self._targets:
            os.close(source)


def _read(source: int) -> bytes:
    try:
        return os.read(source, _SIZE)
    except OSError:  # how a terminal says end of file
        return b""


def _write(target: int, data: bytes) -> None:
    """All of it; a reader that went away (`| head`) does not stop the pipeline."""
    while data:
        try:
            data = data[os.write(target, data) :]
        except BrokenPipeError:
            return
        except BlockingIOError:  # whoever reads has made it so, and is not as fast
            select.select([], [target], [])
