"""One execution of the pipeline: who started it, and what its stages did.

The state lies in `.thawline/executions/<id>.json` of the project, shared by all stages of the
execution, `thawline run` and `thawline log`.
"""

import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from thawline.errors import UserError
from thawline.runtime import safe_json, workspace

VARIABLE = "THAWLINE_EXECUTION"
RECORDER = "THAWLINE_RECORDER"
"""Names the descriptor of a socket to the process that brings a stage's record to MLflow."""
TRIAL = "THAWLINE_TRIAL"
"""Key of the trial of a study that the execution is."""
State = dict[str, Any]
_MAX_PID = 2**31 - 1
"""Of a pid_t, also of another machine's."""
_START_TICKS = 19
"""Field 22 of /proc/PID/stat, counted from the one after the name."""


@dataclass(frozen=True)
class Execution:
    """Key of an execution and the process that stands for it."""

    id: str
    pid: int
    started: float
    """Start of that process, see `_started`: with the pid it is unique on a host."""
    launched: bool = False
    """Started by `thawline run`, which closes the parent run itself."""
    machine: str = field(default_factory=socket.gethostname)
    """Whose process that is: several machines may share the project's folder."""


def identify() -> Execution:
    """Identify the execution that the calling process belongs to.

    Named by THAWLINE_EXECUTION, else the nearest `dvc` among the ancestors, else the process
    itself.
    """
    process = psutil.Process()
    named = os.environ.get(VARIABLE)
    if named and (state := read(named)):
        known = (state[name] for name in ("pid", "started", "launched", "machine"))
        return Execution(named, *known)
    ancestor = next((p for p in process.parents() if _is_dvc(p)), process)
    started = _started(ancestor)
    # One dvc process may work through several experiments, each with a workspace of its own.
    where = f"{started}/{os.environ.get('DVC_EXP_NAME', '')}/{workspace.workspace().resolve()}"
    key = hashlib.md5(where.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()[:8]
    return Execution(f"{ancestor.pid}-{key}", ancestor.pid, started)


def launch() -> Execution:
    """Begin an execution that this process stands for; hand `id` on in THAWLINE_EXECUTION."""
    name = f"run-{os.getpid()}-{time.time_ns():x}"
    execution = replace(of_this_process(), id=name, launched=True)
    with changed(execution):
        pass
    return execution


def of_this_process() -> Execution:
    """Describe the calling process, so that others can tell whether it lives."""
    return Execution("", os.getpid(), _started(psutil.Process()))


class changed:  # noqa: N801 - used as a function
    """`with changed(execution) as state:` the state under its lock, written back at the end."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._path = _path(execution.id)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self._path.parent}: cannot be written: {error.strerror}") from None
        self._lock = FileLock(self._path.with_suffix(".lock"), timeout=30)

    def __enter__(self) -> State:
        self._lock.acquire()
        self._state = read(self._execution.id) or _fresh(self._execution)
        return self._state

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                _write(self._path, self._state)
        finally:
            self._lock.release()


def note(execution: Execution, stage: str, **values: Any) -> None:
    """Merge values (status, exit_code, message, run_id, ...) into the entry of one stage."""
    with changed(execution) as state:
        state["stages"].setdefault(stage, {}).update(values)


def note_failure(stage: str, error: BaseException) -> None:
    """For failures before a stage's tracking is open: `thawline run` repeats the message."""
    note(identify(), stage, status="failed", exit_code=exit_code(error), message=message(error))


def exit_code(error: BaseException) -> int:
    return error.exit_code if isinstance(error, UserError) else 1


def message(error: BaseException) -> str:
    """One line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


def read(identifier: str) -> State | None:
    """Read the state; None where there is none that can be read."""
    try:
        state = safe_json.loads(_path(identifier).read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(state, dict) or not isinstance(state.get("stages"), dict):
        return None
    pid, started = state.get("pid"), state.get("started")
    if not (isinstance(pid, int) and 0 < pid <= _MAX_PID and isinstance(started, int | float)):
        return None
    if "launched" not in state or not all(isinstance(v, dict) for v in state["stages"].values()):
        return None
    state.setdefault("machine", socket.gethostname())  # of an earlier version
    return state


def everything() -> Iterator[tuple[Execution, State]]:
    """All recorded executions, oldest first."""
    for path in sorted(_folder().glob("*.json"), key=_age):
        if state := read(path.stem):
            known = (state[name] for name in ("pid", "started", "launched", "machine"))
            yield Execution(path.stem, *known), state


def find_for_process(pid: int) -> State | None:
    """Find the newest state of an execution that a process of this machine stands for."""
    here = socket.gethostname()
    found = [
        state for current, state in everything() if (current.pid, current.machine) == (pid, here)
    ]
    return found[-1] if found else None


def alive(execution: Execution) -> bool:
    """Tell whether the execution's process lives; that of another machine counts as alive."""
    if execution.machine != socket.gethostname():
        return True
    try:
        process = psutil.Process(execution.pid)
        same = _started(process) == execution.started
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _started(process: psutil.Process) -> float:
    """Seconds from boot to a process's start, where the system tells; else its time of day.

    That moves when the clock is set, as after a laptop's sleep or a virtual machine's pause: stages
    that compared it then took their run for gone and ended.
    """
    try:
        told = Path(f"/proc/{process.pid}/stat").read_bytes()
    except FileNotFoundError:
        return float(process.create_time())
    fields = told.rpartition(b")")[2].split()  # the name before it may hold anything
    return int(fields[_START_TICKS]) / os.sysconf("SC_CLK_TCK")


def forget(keep: int, condition: Callable[[Execution, State], bool]) -> None:
    """Remove the oldest state files for which the condition holds, all but `keep` files."""
    known = list(everything())
    for execution, state in known[: max(0, len(known) - keep)]:
        if condition(execution, state):
            _path(execution.id).unlink(missing_ok=True)
            _path(execution.id).with_suffix(".lock").unlink(missing_ok=True)


def _fresh(execution: Execution) -> State:
    return {
        "pid": execution.pid,
        "started": execution.started,
        "launched": execution.launched,
        "machine": execution.machine,
        "workspace": str(workspace.workspace().resolve()),
        "parent_run_id": None,
        "closed": False,
        "stages": {},
    }


def _is_dvc(process: psutil.Process) -> bool:
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    names = [Path(word).name for word in command[:2]]
    return "dvc" in names or command[1:3] == ["-m", "dvc"]


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process has removed it meanwhile
        return 0.0


def _folder() -> Path:
    return workspace.scratch() / "executions"


def _path(identifier: str) -> Path:
    if not identifier or not identifier.replace("-", "").isalnum():
        raise UserError(f"{VARIABLE}: {identifier!r} is not allowed; unset it")
    return _folder() / f"{identifier}.json"


def _write(path: Path, state: State) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(state, indent=1))
    part.replace(path)
