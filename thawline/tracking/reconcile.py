"""Finish what dead processes have left: journals, and runs that are RUNNING still."""

import sys
from pathlib import Path

from thawline.runtime import execution
from thawline.tracking import address, closing, journal, parent
from thawline.tracking.journal import Journal
from thawline.tracking.recorder import Recorder, set_tags
from thawline.tracking.store import Store, connect, reason

_KEPT_STATES = 50
_KEPT = "the rest of the record is kept: `thawline log` sends it later"
_LEFT = "left open by a process that was killed"


def reconcile(store: Store, own: execution.Execution | None = None) -> int:
    """Close what dead executions left open: FINISHED if all their stages finished, else KILLED.

    Returns:
        How many parents were closed.
    """
    closed = 0
    for current, state in list(execution.everything()):
        if state["closed"] or current == own or execution.alive(current):
            continue
        if not store.exists(state["parent_run_id"]):
            if state["parent_run_id"] is None:
                _settle(current)
            continue
        _close(store, state)
        _settle(current)
        closed += 1
    execution.forget(_KEPT_STATES, lambda other, state: state["closed"] and other != own)
    return closed


def quietly(store: Store, own: execution.Execution) -> None:
    """In the background of a stage: whatever goes wrong is for the next time."""
    try:
        for problem in send_waiting(store)[1]:
            print(problem, file=sys.stderr, flush=True)
        reconcile(store, own)
    except Exception as error:
        print(f"reconcile: {error!r}", file=sys.stderr, flush=True)


def send_waiting(store: Store) -> tuple[int, list[str]]:
    """Send the journals that nobody writes any more; returns their number, and what went wrong."""
    sent, problems = 0, []
    for waiting in journal.waiting():
        with waiting.held() as held:
            if not held:  # somebody else is at it
                continue
            if problem := _send(store, waiting):
                problems.append(problem)
            sent += not waiting.folder.exists()
    return sent, problems


def send(whole: Journal) -> str:
    """Send one journal that has all its events; returns what to tell a person, or nothing."""
    start = whole.start()
    assert start is not None
    with whole.held():
        try:
            store = connect(start["experiment"])
        except Exception as error:
            return f"{reason(error)}; {_KEPT}"
        problem = _send(store, whole)
    return f"{problem}; {_KEPT}" if problem and whole.folder.exists() else problem


def _send(store: Store, waiting: Journal) -> str:
    try:
        header, start = waiting.header, waiting.start()
    except (OSError, ValueError) as error:
        return f"{waiting.folder}: its header.json is damaged: {error}; kept"
    if header is None and start is None:
        return f"{waiting.folder}: the first line of its events.jsonl is damaged; kept"
    try:
        if header is None:
            assert start is not None
            header = parent.begin(store, start)
            waiting.opened(header)
        elif not store.exists(header["run_id"] or header["parent_run_id"]):
            place = address.shown(store.uri)
            return f"{waiting.folder} belongs to a run that {place} does not have; kept"
        if start and start["stage"] and not waiting.ended():
            for event in closing.killed(start):
                waiting.append(event)
        return waiting.send(Recorder(store, header).apply)
    except Exception as error:
        return f"{waiting.folder}: {reason(error, store.uri)}; kept"


def close_left_open(current: execution.Execution) -> None:
    """Close the parent of an ended execution that nobody closed.

    What fails here is left to `reconcile`: a temporary workspace is gone.
    """
    state = execution.read(current.id)
    if not state or state["closed"] or not state["parent_run_id"]:
        return
    finished = all(entry["status"] == "finished" for entry in state["stages"].values())
    if not (finished or state["launched"]) or not Path(state["workspace"]).is_dir():
        return
    try:
        if state["launched"]:
            message = state.get("message", "killed")
            event = closing.event(state, "KILLED", message, state.get("fates"))
        else:
            event = closing.event(state, "FINISHED")
        header = parent.header(None, state["parent_run_id"], current, state["experiment"])
        Recorder(connect(state["experiment"]), header).apply(event)
        closing.settle(current, event)
    except Exception as error:
        print(f"close: {error!r}", file=sys.stderr, flush=True)


def _close(store: Store, state: execution.State) -> None:
    parent = state["parent_run_id"]
    ends = []
    for run in store.children(parent):
        if run.info.status == "RUNNING":
            set_tags(store, run.info.run_id, {"error": _LEFT})
            store.client.set_terminated(run.info.run_id, "KILLED")
        ends.append(run.info.end_time or 0)
    stages = {entry.get("status") for entry in state["stages"].values()}
    finished = stages == {"finished"}
    if not finished:
        set_tags(store, parent, {"error": _LEFT})
    if store.client.get_run(parent).info.status == "RUNNING":
        end = max(ends, default=0) if finished else 0
        status = "FINISHED" if finished else "FAILED" if "failed" in stages else "KILLED"
        store.client.set_terminated(parent, status, end or None)


def _settle(current: execution.Execution) -> None:
    with execution.changed(current) as state:
        state["closed"] = True
