"""Run one trial of a study: stages in a working tree, its predictions, a DVC experiment."""

import hashlib
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from thawline.errors import UserError
from thawline.flows import follow, trial_outputs, workspaces
from thawline.flows.processes import CommandError, one_line
from thawline.flows.trial_request import TrialRequest
from thawline.params import edit, params_file
from thawline.runtime import workspace
from thawline.runtime.output_paths import MODELS
from thawline.studies.records import TrialRecord, folder

Say = Callable[[str], None]
ShouldPrune = Callable[[Path], str | None]
_FIRST = "ingest"
_KILLED, _ENDED = -9, (128 + signal.SIGINT, 128 + signal.SIGTERM)
_LOST = "the workers that ran it died; a machine may have been out of memory"

_RUNNING: set[follow.FollowedRun] = set()
_STOPPED = threading.Event()


class TrialStoppedError(Exception):
    """Raised when a trial was ended from outside; it runs again the next time."""


def begin() -> None:
    """Allow trials, in a process that may have been told to `stop` by an earlier study."""
    _STOPPED.clear()


def stop() -> None:
    """End the trials of all threads, which leave no record."""
    _STOPPED.set()
    for run in list(_RUNNING):
        run.end()


def spent(deadline: float | None) -> bool:
    """Return True where it is too late to start a trial.

    Args:
        deadline: seconds since the epoch; None for no limit.
    """
    return _STOPPED.is_set() or (deadline is not None and time.time() > deadline)


def run(order: TrialRequest, say: Say, should_prune: ShouldPrune = lambda _: None) -> TrialRecord:
    """Run a trial, or return its known record; a failure is a record too.

    Args:
        order: the trial, and what it takes to run it.
        say: gets each line of output.
        should_prune: called with the working tree when the last stage begins; a reason ends the
            trial.

    Raises:
        Stopped: the trial was ended from outside.
    """
    known = TrialRecord.read(order.trial.study, order.key)
    if known is not None and not (order.again and known.state == "failed"):
        say(f"known already, not repeated: {known.state}")
        return known
    began = time.monotonic()
    with workspaces.free(order.base.folder) as tree:
        try:
            record = _run(order, tree, say, should_prune)
        except (CommandError, UserError, OSError) as error:
            record = _record(order, "failed", message=one_line(error))
    if _STOPPED.is_set():
        raise TrialStoppedError
    record = replace(record, duration_s=time.monotonic() - began)
    record.write()
    return record


def lost(order: TrialRequest) -> None:
    """Record the failure of a trial whose worker died."""
    _record(order, "failed", message=_LOST).write()


def _run(order: TrialRequest, tree: Path, say: Say, should_prune: ShouldPrune) -> TrialRecord:
    shutil.copy(order.base.folder / params_file.FILE, tree / params_file.FILE)
    edit.set_values(order.trial.overrides, tree / params_file.FILE)
    trial_outputs.drop_later(tree, order.until)
    stages = _Stages(order, tree, say)
    reason = stages.run(should_prune)
    common = {"run_id": stages.run_id}
    if reason is not None:
        return _record(order, "pruned", message=reason, **common)
    if stages.code in _ENDED:
        raise TrialStoppedError
    if stages.code:
        return _record(order, "failed", message=stages.message, **common)
    order.base.require()
    found = trial_outputs.judged(order, tree)
    if order.keep:
        trial_outputs.keep(
            tree / MODELS / order.until, folder(order.trial.study, order.key) / "network"
        )
    return _record(order, "complete", **trial_outputs.saved(order, tree), **found, **common)


class _Stages:
    """A `thawline run` up to a stage; trials that need the same data wait for the first."""

    def __init__(self, order: TrialRequest, tree: Path, say: Say) -> None:
        self._order, self._tree, self._say = order, tree, say
        self.code: int = 0
        self.run_id: str | None = None
        self.message = ""

    def run(self, should_prune: ShouldPrune) -> str | None:
        """Run the stages; return why the trial was ended early, or None."""
        order = self._order
        lock = FileLock(workspace.scratch() / "locks" / f"data-{self._data()}.lock")
        lock.acquire()
        if _STOPPED.is_set():  # while it waited
            lock.release()
            raise TrialStoppedError
        run = follow.FollowedRun(
            [order.until], self._tree, f"trial {order.name}", order.environment
        )
        _RUNNING.add(run)
        try:
            while True:
                for line in run.lines():
                    self._say(line)
                if run.mark is None or run.mark[0] != _FIRST:
                    lock.release()
                if run.mark is None:
                    return None
                last = run.mark[0] == order.until
                if last and (reason := should_prune(self._tree)):
                    return reason
        finally:
            self.run_id = run.run_id()
            run.end()
            _RUNNING.discard(run)
            lock.release(force=True)
            self.code = run.code or 0
            self.message = _failure(run)

    def _data(self) -> str:
        """Hash the params that decide the data the trial trains on."""
        checked = params_file.load(self._tree / params_file.FILE)
        words = f"{checked.seed} {checked.ingest.model_dump_json()}"
        return hashlib.sha256(words.encode()).hexdigest()[:16]


def _record(order: TrialRequest, state: Any, **values: Any) -> TrialRecord:
    trial = order.trial
    return TrialRecord(
        study=trial.study,
        key=order.key,
        contender=trial.contender,
        seed=trial.seed,
        overrides=dict(trial.overrides),
        state=state,
        **values,
    )


def _failure(run: follow.FollowedRun) -> str:
    if run.code == _KILLED:
        return "killed; the machine may have been out of memory"
    return run.last[-1] if run.last else f"exit code {run.code}"
