"""Runs that were left RUNNING by a process that no longer lives."""

import sys

from thawline.runtime import execution
from thawline.tracking.recorder import set_tags
from thawline.tracking.store import Store

_KEPT_STATES = 50
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
        reconcile(store, own)
    except Exception as error:
        print(f"reconcile: {error!r}", file=sys.stderr, flush=True)


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
