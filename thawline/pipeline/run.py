"""`thawline run`: DVC's repro, recorded as one MLflow run with the fate of every stage."""

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from thawline.advice import time_budget
from thawline.dvc import libraries, lock_entries, stage_inputs
from thawline.dvc.code import check as check_code
from thawline.errors import ChildDiedError, UserError
from thawline.params import params_file
from thawline.params.schema.whole import Params
from thawline.runtime import execution, locks, safe_yaml, workspace
from thawline.runtime.relay import Relay
from thawline.tracking import address, closing, fates, writer
from thawline.tracking.journal import Journal

_POLL_S = 0.05
_GRACE_S = 2.0
"""Between SIGTERM and SIGKILL, so that a cancelled run ends within five seconds."""


def run(targets: Sequence[str] = (), *, minutes: float | None = None) -> int:
    """Reproduce the pipeline, or the targets, and record it.

    Args:
        targets: names of stages; all by default.
        minutes: what `budget.max_minutes` of params.yaml is to be, from now on.

    Returns:
        0; 2 when a stage refused a user's mistake, 71 when a process that worked for it was
        killed, 1 when it failed otherwise, whose message is the last line; 75 when another run is
        in progress in this workspace; 130 after Ctrl-C, 143 after SIGTERM.

    Raises:
        UserError: params.yaml is wrong, there is no dvc.yaml here, the code is not what the
            project's code.yaml describes, or the time allows no first answer.
    """
    check_code()
    if weak := libraries.old_python():
        print(f"warning: {weak}", file=sys.stderr, flush=True)
    source = params_file.read()
    written = params_file.check(source.values)
    checked = written if minutes is None else time_budget.with_limit(written, minutes)
    if not Path("dvc.yaml").is_file():
        raise UserError(
            f"dvc.yaml: not found in {workspace.workspace()}; run this in the project's folder"
        )
    params_file.check_inputs(checked)
    time_budget.check(checked)
    os.environ.pop(
        "DVC_ROOT", None
    )  # of another repository, if set: dvc would hand it on to the stages
    try:
        with locks.pipeline():
            if minutes is not None:
                time_budget.write(written, minutes)
                source = params_file.read()
            start_ms, current = int(time.time() * 1000), execution.launch()
            with execution.changed(current) as state:
                state["params"] = stage_inputs.written_down(source)
            if untrue := lock_entries.mended(current):  # of an earlier run
                print(untrue, file=sys.stderr, flush=True)
            before = fates.Before()
            launched = Launch(current, targets)
            code = launched.wait()
            found = before.fates(_state(current), targets, done=code == 0)
            return _conclude(checked, current, start_ms, launched, code, found)
    except locks.BusyError as busy:
        print(f"skipped: {busy}", file=sys.stderr, flush=True)
        return locks.BUSY


class Launch:
    """`dvc repro` in a process group of its own, its output passed on."""

    def __init__(self, current: execution.Execution, targets: Sequence[str]) -> None:
        self.received: int | None = None
        """Signal that ended it."""
        self._relay = Relay()
        command = [sys.executable, "-m", "dvc", "repro", *targets]
        self._process = subprocess.Popen(
            command,
            env=_environment(current),
            stdin=subprocess.DEVNULL,
            stdout=self._relay.child_stdout,
            stderr=self._relay.child_stderr,
            start_new_session=True,
            preexec_fn=locks.die_with_parent,  # no thread runs yet, so it is safe
        )

    def wait(self) -> int:
        """Exit code of dvc, after everything it printed was passed on."""
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._stop) for number in signals}
        try:
            self._relay.pump(self._process)
            return self._process.wait()
        finally:
            self._kill(signal.SIGKILL)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.received is None:
            self.received = signum
            self._kill(signal.SIGTERM)
            timer = threading.Timer(_GRACE_S, self._kill, [signal.SIGKILL])
            timer.daemon = True
            timer.start()

    def _kill(self, signum: int) -> None:
        """Signal the whole group: dvc alone would leave its stage running."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signum)


def _environment(current: execution.Execution) -> dict[str, str]:
    """DVC and its stages find the interpreter that runs this; lines arrive as they are written."""
    kept = dict(os.environ)
    path = kept.get("PATH", os.defpath)
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{path}",
        execution.VARIABLE: current.id,
        "PYTHONUNBUFFERED": "1",
    }


def _conclude(
    checked: Params,
    current: execution.Execution,
    start_ms: int,
    launched: Launch,
    code: int,
    found: dict[str, str],
) -> int:
    state = _state(current)
    status, message, result = _outcome(state, launched.received, code)
    if untrue := lock_entries.mended(current):
        status, result = "FAILED", result or UserError.exit_code
        message = "\n".join(filter(None, (message, f"{untrue}; run it again")))
    nothing_done = not state["stages"] and set(found.values()) <= {"skipped", closing.NOT_REACHED}
    if nothing_done:
        if code == 0:
            print("nothing to do: every stage is up to date")
        _finish(current)
    elif launched.received is not None:
        _leave(current, message, found)
    elif address.enabled(checked.tracking.enabled) and (state["stages"] or code == 0):
        event = closing.event(state, status, message, found)
        journal = closing.journal(current, event, params_file.flatten(checked), start_ms)
        _send(current, journal)
    if message:
        print(message, file=sys.stderr, flush=True)
    return result


def _outcome(state: execution.State, received: int | None, code: int) -> tuple[str, str, int]:
    """Status of the parent, last line, exit code."""
    if received is not None:
        return "KILLED", f"ended by {signal.Signals(received).name}", 128 + received
    if code == 0:
        return "FINISHED", "", 0
    failed = [(n, e) for n, e in state["stages"].items() if e.get("status") in ("failed", "killed")]
    if not failed:
        return "FAILED", _problem_of_lock(), 1
    name, entry = failed[-1]
    message = f"{name}: {entry.get('message') or 'killed'}"
    known = (UserError.exit_code, ChildDiedError.exit_code)
    return "FAILED", message, entry["exit_code"] if entry.get("exit_code") in known else 1


def _problem_of_lock() -> str:
    """Say what to do about a dvc.lock that DVC cannot read: half of one, or a merge's conflict."""
    path = Path("dvc.lock")
    try:
        found = safe_yaml.parse_machine_written(path.read_text(encoding="utf-8"))
        stages = found["stages"]
        whole = all(isinstance(spec, dict) and "cmd" in spec for spec in stages.values())
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        whole = False
    if whole:
        return ""
    return (
        f"{path}: damaged, or a merge has left its conflict in it; `git checkout {path}` takes the "
        f"last committed one; or `rm {path}`, then `thawline run`, which restores from DVC's run "
        "cache what was computed before"
    )


def _send(current: execution.Execution, end: Journal) -> None:
    """Have what recorded the last stage send it, which has MLflow loaded; else do it here."""
    while (state := execution.read(current.id)) and "sent" not in state:
        recorder = state.get("recorder")
        if not recorder or not execution.alive(execution.Execution(**recorder)):
            importlib.import_module(writer.PROGRAM).main(str(end.folder))  # loads mlflow
            return
        time.sleep(_POLL_S)
    if state and state["sent"]:
        writer.warn(state["sent"])


def _leave(current: execution.Execution, message: str, found: Mapping[str, str]) -> None:
    """After a signal there is no time: what recorded the last stage closes the run."""
    with execution.changed(current) as state:
        state.update(message=message, fates=dict(found))


def _state(current: execution.Execution) -> execution.State:
    state = execution.read(current.id)
    assert state is not None
    return state


def _finish(current: execution.Execution) -> None:
    with execution.changed(current) as state:
        state["closed"] = True
