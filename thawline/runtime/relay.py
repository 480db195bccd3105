"""Passes a child's output on as it comes, whoever reads it."""

import os
import select
import selectors
import subprocess
import sys
import time
from contextlib import suppress

_DRAIN_S = 0.5
_SIZE = 1 << 16
_STREAMS = (1, 2)


class Relay:
    """The child's output streams, and the loop that empties them into ours.

    A terminal the child gets itself, so that its progress bars work. Anything else stands between:
    a pipe that is full and does not block, or whose reader went away, does not stop the child.
    """

    def __init__(self) -> None:
        self._targets: dict[int, int] = {}
        ends: dict[int, int | None] = dict.fromkeys(_STREAMS)
        for stream in _STREAMS:
            if not os.isatty(stream):
                ours, ends[stream] = os.pipe()
                self._targets[ours] = stream
        self.child_stdout, self.child_stderr = ends[1], ends[2]

    def pump(self, process: subprocess.Popen[bytes]) -> None:
        """Until the streams end, or the child has ended and what it left running stays silent."""
        for end in (self.child_stdout, self.child_stderr):
            if end is not None:
                os.close(end)  # else end of file would never come
        sys.stdout.flush()
        if not self._targets:
            process.wait()
            return
        with selectors.DefaultSelector() as selector:
            for source in self._targets:
                selector.register(source, selectors.EVENT_READ)
            self._loop(selector, process)
        for source in self._targets:
            os.close(source)

    def _loop(self, selector: selectors.BaseSelector, process: subprocess.Popen[bytes]) -> None:
        ended: float | None = None
        while selector.get_map():
            ready = selector.select(timeout=0.1)
            for key, _ in ready:
                data = os.read(key.fd, _SIZE)
                if data:
                    _write(self._targets[key.fd], data)
                else:
                    selector.unregister(key.fd)
            if process.poll() is not None and not ready:
                ended = ended or time.monotonic()
                if time.monotonic() - ended > _DRAIN_S:
                    return


def _write(target: int, data: bytes) -> None:
    """All of it; a reader that went away (`| head`) does not stop the pipeline."""
    with suppress(BrokenPipeError):
        while data:
            try:
                data = data[os.write(target, data) :]
            except BlockingIOError:  # whoever reads has made it so, and is not as fast
                select.select([], [target], [])
