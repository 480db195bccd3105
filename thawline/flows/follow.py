"""Follow one `thawline run` from outside: its lines, split where DVC starts another stage."""

import re
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from thawline.errors import UserError
from thawline.flows import processes
from thawline.runtime import execution, locks, workspace

_KEPT_LINES = 12
_BUSY = re.compile(r"Unable to acquire lock|is busy, it is being blocked|is writing in this folder")
"""Output of DVC, or of a stage, while another process has what it needs: that passes."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_OF_DVC = (
    (re.compile(r"Running stage '([^']+)':\s*"), "running"),
    (re.compile(r"Stage '([^']+)' is cached - skipping run, checking out outputs\s*"), "restored"),
    (re.compile(r"Stage '([^']+)' didn't change, skipping\s*"), "skipped"),
)
_STAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_@-]*")
_EPOCH = re.compile(r"\bepoch\s+(\d+)/(\d+)\b")


def check_targets(targets: Sequence[str]) -> None:
    """Check that all targets are names of stages.

    Raises:
        UserError: one is something else that DVC would accept: an option, or a file with stages,
            and commands, of its own.
    """
    for target in targets:
        if not _STAGE.fullmatch(target):
            raise UserError(f"targets: {target!r} is not the name of a stage")


class FollowedRun:
    """A `thawline run` in progress.

    Args:
        more: variables added to its environment.

    Attributes:
        mark: (stage, running | restored | skipped) that DVC has just named; None before and after.
        last: the newest lines of the stage.
        code: exit code, once it has ended.
    """

    def __init__(
        self,
        targets: Sequence[str],
        folder: Path,
        owner: str,
        more: Mapping[str, str] | None = None,
    ) -> None:
        env = {locks.OWNER_VARIABLE: owner, workspace.VARIABLE: str(workspace.root())}
        env |= more or {}
        self._lines = processes.Lines(
            processes.python("thawline.cli", "run", *targets), folder, env
        )
        self.mark: tuple[str, str] | None = None
        self.last: deque[str] = deque(maxlen=_KEPT_LINES)
        self.code: int | None = None
        self.busy = False

    def lines(self, timeout_s: float | None = None) -> Iterator[str]:
        """Yield lines up to the next stage or the end, whichever comes first.

        Raises:
            TimeoutError: this takes longer than timeout_s.
        """
        self.mark = None
        self.last.clear()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while (line := self._lines.next(deadline and deadline - time.monotonic())) is not None:
            if mark := status(line):
                self.mark = mark
                return
            if line:
                self.last.append(line)
                self.busy = self.busy or bool(_BUSY.search(line))
                yield line
        self.code = self._lines.process.wait()

    def run_id(self, stage: str | None = None) -> str | None:
        """Return the MLflow run id of a stage, or of the parent; None where there is none."""
        state = execution.find_for_process(self._lines.process.pid) or {"stages": {}}
        if stage is None:
            return state.get("parent_run_id")
        found: str | None = state["stages"].get(stage, {}).get("run_id")
        return found

    def end(self) -> None:
        processes.end(self._lines.process)
        self.code = self._lines.process.wait()


def status(line: str) -> tuple[str, str] | None:
    """Tell which stage a line of DVC's is about, and running, restored or skipped."""
    for pattern, word in _OF_DVC:
        # The whole line: a stage may print such words in the name of a class.
        if found := pattern.fullmatch(_ANSI.sub("", line)):
            return found[1], word
    return None


def epochs(line: str) -> float | None:
    """Parse the share of a training stage that is done, in [0, 1], from a line of output."""
    found = _EPOCH.search(line)
    return int(found[1]) / int(found[2]) if found and int(found[2]) else None
