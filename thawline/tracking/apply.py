"""Bring journals to MLflow: of a stage as it is written, or whole.

    python -m thawline.tracking.apply FOLDER
    python -m thawline.tracking.apply --beside FD

The second serves the process at the other end of the socket FD, see `writer`: it says the folder
of each journal that it begins and an empty line when one is complete; replies of one line go back:
`ready` or `error` once, `warning` at any time, then `done`.
"""

import os
import select
import socket
import sys
import threading
import time
from pathlib import Path

from thawline.errors import UserError
from thawline.runtime import execution, safe_json, workspace
from thawline.tracking import address, closing, parent, reconcile
from thawline.tracking.journal import END, Event, Journal
from thawline.tracking.recorder import Recorder, coalesce
from thawline.tracking.store import Store, connect, patient, reason, unusable
from thawline.tracking.system import SystemMetrics
from thawline.tracking.writer import LOG, reply, warn

_PAUSES_S = (0.5, 1.5)
_POLL_S = 0.25
_WAITS_S = 0.1
"""Between two looks for an execution's end: `thawline run` waits for it."""


def main(*words: str) -> int:
    """Apply one whole journal, or serve a process beside us until it is gone.

    Returns:
        0; what could not be sent stays where it is, and is told.
    """
    if words[0] == "--beside":
        beside(socket.socket(fileno=int(words[1])))
        return 0
    if problem := reconcile.send(Journal(Path(words[0]))):
        warn(problem)
    return 0


def beside(connection: socket.socket) -> None:
    """Serve until the process is gone, and close its execution if nobody else does."""
    with workspace.log_file(LOG) as log:
        for standard in (1, 2):
            os.dup2(log.fileno(), standard)
    told, start = _Told(connection), None
    while journal := told.next():
        start = follow(journal, told, connection)
    connection.close()
    if start is not None:
        _outlast(execution.Execution(**start["execution"]))


def follow(journal: Journal, told: "_Told", connection: socket.socket) -> Event | None:
    """Apply a journal as it is written, to its end; returns its first event."""
    start = journal.start()
    assert start is not None
    with journal.held():
        try:
            store = connect(start["experiment"])
            header = parent.begin(store, start)
            journal.opened(header)
        except Exception as error:
            print(f"start: {error!r}", file=sys.stderr, flush=True)
            known = isinstance(error, UserError)
            reply(connection, error=str(error) if known else unusable(address.uri(), error))
            return None
        reply(connection, ready=header["run_id"])
        patient()
        _Following(store, journal, start, header, connection).carry(told)
    reply(connection, done=True)
    return start


class _Told:
    """What the process beside us says, and whether it lives.

    A data loader's worker may hold the socket open for longer.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._text, self._over = connection, b"", False
        self._process: execution.Execution | None = None

    def next(self) -> Journal | None:
        """Wait for the next journal; None when there will be no more."""
        while True:
            line, end, rest = self._text.partition(b"\n")
            if end:
                self._text = rest
                if line:
                    return Journal(Path(safe_json.loads(line)))
            elif self.gone():
                return None
            else:
                self.wait()

    def of(self, process: execution.Execution) -> None:
        """Watch whether the process lives."""
        self._process = process

    def gone(self) -> bool:
        return self._over or (self._process is not None and not execution.alive(self._process))

    def complete(self) -> bool:
        """Tell whether the journal is there that was named last."""
        return b"\n" in self._text

    def wait(self) -> None:
        """Until something is said, for a quarter of a second at most."""
        if self._over or not select.select([self._connection], [], [], _POLL_S)[0]:
            return
        try:
            found = self._connection.recv(1 << 16)
        except OSError:
            found = b""
        self._text += found
        self._over = not found


class _Following:
    """The way of one stage's events to the store, for as long as that takes them."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        start: Event,
        header: Event,
        connection: socket.socket,
    ) -> None:
        self._recorder, self._journal = Recorder(store, header), journal
        self._start, self._connection = start, connection
        self._current = execution.Execution(**start["execution"])
        self._away = self._ended = False
        self._damaged = 0
        self._system = SystemMetrics(store, header["run_id"])
        threading.Thread(target=reconcile.quietly, args=(store, self._current), daemon=True).start()

    def carry(self, told: _Told) -> None:
        told.of(execution.Execution(**self._start["writer"]))
        while True:
            # Asked first: what a process wrote before its last word is there afterwards.
            gone, complete = told.gone(), told.complete()
            self._take(self._journal.read(whole=gone))
            if (complete or gone) and self._ended:
                break
            if gone:
                self._killed()
            else:
                told.wait()
        if self._damaged:
            place = self._journal.set_aside()
            reply(self._connection, warning=f"{self._damaged} line(s) cannot be read: {place}")
        elif not self._away:
            self._journal.remove()

    def _take(self, found: list[Event | None]) -> None:
        events = [event for event in found if event is not None]
        self._damaged += len(found) - len(events)
        for event in coalesce(events):
            if event["event"] == END:
                self._ended = True
                self._system.finish()
            if not self._away:
                self._send(event)
        if found and not self._away:
            self._journal.note_sent()

    def _send(self, event: Event) -> None:
        if problem := self._problem(event):
            self._away = True
            kept = "the rest is kept, `thawline log` sends it later"
            reply(self._connection, warning=f"{problem}; {kept}")

    def _problem(self, event: Event) -> str:
        """Apply an event, a second and a third time if need be; empty where the store took it."""
        problem = ""
        for pause in (*_PAUSES_S, None):
            try:
                self._recorder.apply(event)
                return ""
            except Exception as error:
                problem = reason(error)
                print(f"{event['event']}: {error!r}", file=sys.stderr, flush=True)
            if pause is not None:
                time.sleep(pause)
        return problem

    def _killed(self) -> None:
        """Say what the stage could not say any more."""
        for event in closing.killed(self._start):
            self._journal.append(event)


def _outlast(current: execution.Execution) -> None:
    """Wait for the next stage, or for the execution's end, which may have nobody else to tell it.

    `thawline run` writes it down. Under bare `dvc repro` the last stage was skipped or not asked
    for; `thawline run` was ended.
    """
    ours = (execution.read(current.id) or {}).get("newest")
    while (state := execution.read(current.id)) and state.get("newest") == ours:
        if end := state.get("end"):
            said = reconcile.send(Journal(Path(end)))
            with execution.changed(current) as changed:
                changed["sent"] = said
            return
        if state["closed"]:
            return
        if not execution.alive(current):
            reconcile.close_left_open(current)
            return
        time.sleep(_WAITS_S)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
