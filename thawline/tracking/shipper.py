"""The way of a stage's events to MLflow, in a process beside the stage.

Events come over a socket, one JSON object a line, the first one `start`; replies of one line go
back: `ready` or `error` once, `warning` at any time. It ends at end of file, or when the stage's
process is gone: a data loader's worker may hold the socket open for longer.
"""

import json
import queue
import shutil
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from thawline.dvc import hashes
from thawline.errors import UserError
from thawline.runtime import execution, safe_json, workspace
from thawline.tracking import address, closing, parent, reconcile
from thawline.tracking.recorder import Event, Recorder, coalesce
from thawline.tracking.spool import Spool
from thawline.tracking.store import Store, connect, patient, reason, unusable
from thawline.tracking.system import SystemMetrics

_PAUSES_S = (0.5, 1.5)
_POLL_S = 0.5


def ship(connection: socket.socket) -> int:
    """Handle one stage from its first event to its last, or the end of an execution.

    Returns:
        0, or 1 when the store could not be used, which the stage was told.
    """
    inbox, outbox = Inbox(connection), Outbox(connection)
    start = inbox.first()
    if start is None:
        return 0
    if start["event"] == "close parent":
        return _close_parent(start, outbox)
    try:
        store = connect(start["experiment"])
        recorder = parent.begin_stage(store, start)
    except UserError as error:
        outbox.reply(error=str(error))
        return 1
    except Exception as error:
        print(f"start: {error!r}", file=sys.stderr, flush=True)
        outbox.reply(error=unusable(address.uri(), error))
        return 1
    outbox.reply(ready=recorder.header["run_id"])
    patient()
    _Shipment(store, recorder, start, outbox).carry(inbox)
    outbox.reply(done=True)
    shutil.rmtree(workspace.scratch() / "outbox" / str(start["pid"]), ignore_errors=True)
    return 0


def _close_parent(order: Event, outbox: "Outbox") -> int:
    """What `thawline run` asks for at its end."""
    current = execution.Execution(**order["execution"])
    warning = parent.close(current, order["close"], order["params"], order["t"])
    outbox.reply(warning=warning)
    return 0


def close_left_open(current: execution.Execution) -> None:
    """Close the parent of an ended execution that nobody closed.

    Under bare `dvc repro` the last stage was skipped or not asked for; `thawline run` was ended
    by a signal. What fails here is left to `reconcile`: a temporary workspace is gone.
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
        parent.settle(current, event)
    except Exception as error:
        print(f"close: {error!r}", file=sys.stderr, flush=True)


class Outbox:
    """Replies to the stage; one that is gone hears nothing, its record still counts."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def reply(self, **values: Any) -> None:
        with suppress(OSError):
            self._connection.sendall(json.dumps(values).encode() + b"\n")


class Inbox:
    """Reads ahead in a thread, so that a slow store never holds up the stage."""

    def __init__(self, connection: socket.socket) -> None:
        self._stage: psutil.Process | None = None
        self._file = connection.makefile("rb")
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def first(self) -> Event | None:
        event = self._next()
        if event is not None:
            try:
                self._stage = psutil.Process(event["pid"])
            except psutil.Error:
                return event  # gone already; end of file follows
        return event

    def batch(self) -> list[Event | None]:
        """All that has come, at least one; None stands for the end."""
        found = [self._next()]
        while found[-1] is not None and not self._queue.empty():
            found.append(self._queue.get())
        return found

    def _next(self) -> Event | None:
        while True:
            try:
                return self._queue.get(timeout=_POLL_S)
            except queue.Empty:
                if self._stage is not None and not _lives(self._stage):
                    return None

    def _read(self) -> None:
        try:
            for line in self._file:
                self._queue.put(safe_json.loads(line))
        except (OSError, ValueError):  # cut off by a kill
            pass
        self._queue.put(None)


class _Shipment:
    """The way of all events of one stage: to the store, and into the spool once that fails."""

    def __init__(self, store: Store, recorder: Recorder, start: Event, outbox: Outbox) -> None:
        self._recorder, self._start, self._outbox = recorder, start, outbox
        self._current = execution.Execution(**start["execution"])
        self._spool: Spool | None = None
        self._system = SystemMetrics(store, recorder.header["run_id"])
        threading.Thread(target=reconcile.quietly, args=(store, self._current), daemon=True).start()

    def carry(self, inbox: Inbox) -> None:
        ended = False
        while not ended:
            found = inbox.batch()
            for event in coalesce([event for event in found if event is not None]):
                ended = ended or event["event"] == "end"
                self._end(event) if event["event"] == "end" else self._send(event)
            if found[-1] is None and not ended:
                self._end(_sudden_end(self._start))
                ended = True

    def _end(self, event: Event) -> None:
        self._system.finish()
        stage, status = self._start["stage"], event["status"]
        outs = self._hash_outs() if status == "FINISHED" else {}
        execution.note(self._current, stage, status=status.lower(), outs=outs)
        self._send({**event, "outs": outs})
        state = execution.read(self._current.id)
        last = status != "FINISHED" or stage == closing.LAST_STAGE
        if state and last and not self._current.launched:
            message = f"{stage}: {event['message']}" if event["message"] else ""
            close = closing.event(state, status, message)
            self._send(close)
            parent.settle(self._current, close)

    def _hash_outs(self) -> dict[str, str]:
        """What dvc.yaml names; where dvc.yaml does not know the stage, what the stage named."""
        named = hashes.Graph(workspace.workspace()).outputs(self._start["stage"])
        return hashes.present(named or tuple(self._start["outs"]))

    def _send(self, event: Event) -> None:
        if self._spool is None:
            problem = self._try(event)
            if problem is None:
                return
            self._spool = Spool.create(self._recorder.header)
            self._outbox.reply(
                warning=f"{problem}; the rest is kept, `thawline log` sends it later"
            )
        self._spool.append(event)

    def _try(self, event: Event) -> str | None:
        for pause in (*_PAUSES_S, None):
            try:
                self._recorder.apply(event)
                return None
            except Exception as error:
                problem = reason(error)
                print(f"{event['event']}: {error!r}", file=sys.stderr, flush=True)
            if pause is not None:
                time.sleep(pause)
        return problem


def _sudden_end(start: Event) -> Event:
    now = int(time.time() * 1000)
    message = "the stage's process ended without a word (killed)"
    duration = (now - start["t"]) / 1000
    return {
        "event": "end",
        "t": now,
        "status": "KILLED",
        "message": message,
        "duration_s": duration,
    }


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
