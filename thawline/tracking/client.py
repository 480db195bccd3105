"""What a stage sees of tracking; imports nothing heavy, since another process talks to MLflow."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thawline.params.params_file import flatten
from thawline.params.schema.whole import Params
from thawline.runtime import execution
from thawline.tracking import address, closing
from thawline.tracking.writer import Writer

_END_TIMEOUT_S = 120.0
_KILLED_TIMEOUT_S = 0.5


class StageRun:
    """The nested run of one stage. With tracking switched off every method does nothing.

    Nothing is lost when the store goes away in the middle: the rest stays in the journal under
    `.thawline/journal/`, and `thawline log` sends it later.
    """

    def __init__(self, writer: Writer | None) -> None:
        self._writer = writer
        self._last: list[Callable[[], None]] = []

    def afterwards(self, act: Callable[[], None]) -> None:
        """Have something done once the stage's outputs count, e.g. a checkpoint removed."""
        self._last.append(act)

    def settle(self) -> None:
        """Do what was to be done afterwards."""
        for act in self._last:
            act()

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log scalars; step is the epoch, from 0. Meant once per epoch, not once per batch."""
        now = _now_ms()
        entries = [[key, float(value), step or 0, now] for key, value in values.items()]
        self._send("metrics", entries=entries)

    def params(self, values: Mapping[str, object]) -> None:
        """Log what was chosen at run time; a name that is logged twice keeps its first value."""
        self._send("params", values=dict(values))

    def tags(self, values: Mapping[str, str]) -> None:
        self._send("tags", values=dict(values))

    def artifact(self, path: Path, folder: str = "") -> None:
        """Log a file, or a directory under its own name; copied now, it may change afterwards."""
        self._send("artifact", files=[[str(path), folder]])

    def dataset(
        self, name: str, digest: str, source: str, profile: Mapping[str, object], context: str
    ) -> None:
        """Log the data set as an input of this run and of its parent.

        Args:
            name: e.g. `digits`.
            digest: a hash of the content, at most 36 characters.
            source: where it came from, free of absolute paths.
            profile: counts and sizes, JSON values.
            context: what it served, e.g. `training`.
        """
        values = {"name": name, "digest": digest[:36], "source": source, "profile": dict(profile)}
        self._send("dataset", context=context, **values)

    def require(self) -> None:
        """Wait until the tracking store has answered. Call it before the expensive work.

        Raises:
            UserError: it did not, within about ten seconds.
        """
        if self._writer is not None:
            self._writer.require()

    def _send(self, event: str, **values: Any) -> None:
        if self._writer is not None:
            self._writer.append({"event": event, "t": _now_ms(), **values})


@contextmanager
def open_stage_run(stage: str, params: Params, outs: Sequence[Path]) -> Iterator[StageRun]:
    """Record the stage in MLflow while the block runs.

    FINISHED at the block's end, FAILED on an exception, KILLED on Ctrl-C, SIGTERM and sudden death.

    Args:
        stage: its name in dvc.yaml.
        params: the whole file; the stage's section is logged on its run, everything on the parent.
        outs: what the stage makes; the hashes are logged.

    Raises:
        UserError: the store cannot be used (from `require`, at the latest at the end of the block).
    """
    began, current = time.monotonic(), execution.identify()
    execution.note(current, stage, status="running", pid=os.getpid())
    writer = None
    if address.enabled(params.tracking.enabled):
        writer = Writer(closing.start(stage, flatten(params), current, _now_ms()))
    run = StageRun(writer)

    def close(status: str, message: str, exit_code: int) -> None:
        if status == "KILLED" and threading.current_thread() is threading.main_thread():
            # The second signal often follows at once: to the group, then because the parent died.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if writer is None or not writer.finish():
            said = {"status": status.lower(), "message": message, "exit_code": exit_code}
            execution.note(current, stage, **said)
            return
        duration_s = time.monotonic() - began
        made = [path.as_posix() for path in outs]
        for event in closing.last_events(
            current, stage, status, message, duration_s, made, exit_code
        ):
            writer.append(event)
        writer.close(_KILLED_TIMEOUT_S if status == "KILLED" else _END_TIMEOUT_S)

    try:
        with _terminate_as_exit():
            yield run
            run.require()
    except BaseException as error:
        close(*_outcome(error))
        raise
    close("FINISHED", "", 0)


def _outcome(error: BaseException) -> tuple[str, str, int]:
    """Status, message and exit code of a block that was left by an exception."""
    if isinstance(error, KeyboardInterrupt):
        return "KILLED", "interrupted", 128 + signal.SIGINT
    if isinstance(error, GeneratorExit):  # a signal's exception outside of the block's own code
        return "KILLED", "ended by a signal", 128 + signal.SIGTERM
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if code == 0:
            return "FINISHED", "", 0
        if code > 128:
            return "KILLED", signal.Signals(code - 128).name, code
        return "FAILED", f"exit code {code}", code
    return "FAILED", execution.message(error), execution.exit_code(error)


@contextmanager
def _terminate_as_exit() -> Iterator[None]:
    """SIGTERM leaves the block by SystemExit(143), unless the caller has its own handler."""
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def leave(signum: int, _: object) -> None:
        raise SystemExit(128 + signum)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _now_ms() -> int:
    return int(time.time() * 1000)
