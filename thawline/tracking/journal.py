"""Journal of a run: what a stage has to say to MLflow, in order, on disk until the store has it."""

import errno
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from thawline.runtime import execution, safe_json, workspace

Event = dict[str, Any]
START, END, CLOSE = "start", "end", "close"
"""The first event of a journal, the last of a stage, the last of an execution."""
_FOLDER, _EARLIER = "journal", "spool"


class Journal:
    """Folder under `.thawline/journal/` for one stage, or for the end of an execution.

    events.jsonl: one event a line. files/: copies of artifacts. header.json: run_id,
    parent_run_id, experiment, execution id, once the run is open. sent: number of lines that the
    store has.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._offset = self._lines = 0

    @classmethod
    def create(cls, start: Event | None = None, header: Event | None = None) -> "Journal":
        """Begin a journal, with its first event or for a run that is open already."""
        folder = workspace.scratch() / _FOLDER
        named = start["stage"] if start else (header or {}).get("stage")
        made = cls(folder / f"{time.time_ns():x}-{named or 'end'}")
        made.folder.mkdir(parents=True)
        if header is not None:
            made.opened(header)
        if start is not None:
            made.append(start)
        return made

    @property
    def header(self) -> Event | None:
        """Read it; None where the run was not opened.

        Raises:
            ValueError: it is damaged.
        """
        try:
            text = (self.folder / "header.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        found = safe_json.loads(text)
        if not isinstance(found, dict) or not {"run_id", "parent_run_id"} <= found.keys():
            raise ValueError("header.json says no run")
        return found

    def opened(self, header: Event) -> None:
        """Note the run that the events are about."""
        _write(self.folder / "header.json", json.dumps(header))

    def append(self, event: Event) -> None:
        """Write an event down, with copies of its files; see `with_copies` and `write`."""
        self.write(self.with_copies(event))

    def with_copies(self, event: Event) -> Event:
        """Copy an event's files here, since the next run of the stage deletes them."""
        files = [[str(self._keep(Path(path))), where] for path, where in event.get("files", [])]
        return {**event, "files": files} if files else event

    def write(self, event: Event) -> None:
        """Write an event down.

        Raises:
            OSError: it cannot be written; nothing of it is there.
        """
        with (self.folder / "events.jsonl").open("a+b", buffering=0) as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - 1))
            begun = b"" if file.read(1) in (b"", b"\n") else b"\n"  # after half a line of a kill
            line = begun + json.dumps(event, default=str).encode() + b"\n"
            try:
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(end)
                raise

    def read(self, *, whole: bool = True) -> list[Event | None]:
        """Events since the last call; None for a line that is damaged, e.g. half of one.

        Args:
            whole: take also a last line that has no end yet; no while somebody may be writing it.
        """
        path = self.folder / "events.jsonl"
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        if not whole:
            text = text[: text.rfind(b"\n") + 1]
        self._offset += len(text)
        found = [_event(line) for line in text.split(b"\n") if line.strip()]
        self._lines += len(found)
        return found

    def start(self) -> Event | None:
        """Read the first event alone; None where there is none, as in an earlier version's."""
        found = Journal(self.folder).read(whole=False)
        return found[0] if found and found[0] and found[0]["event"] == START else None

    def ended(self) -> bool:
        """Tell whether a stage's end, or an execution's, is in it."""
        found = Journal(self.folder).read()
        return any(event is not None and event["event"] in (END, CLOSE) for event in found)

    def note_sent(self, count: int | None = None) -> None:
        """Note how many lines the store has: all that were read, or a count."""
        _write(self.folder / "sent", str(self._lines if count is None else count))

    def sent(self) -> int:
        try:
            return int((self.folder / "sent").read_text())
        except (OSError, ValueError):  # all of it again, which the events allow
            return 0

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Keep other processes from sending it meanwhile; yields whether that is so."""
        lock = FileLock(self.folder.with_suffix(".lock"), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield self.folder.exists()
        finally:
            lock.release()
            if not self.folder.exists():
                self.folder.with_suffix(".lock").unlink(missing_ok=True)

    def send(self, apply: Callable[[Event], None]) -> str:
        """Apply what is not sent yet, in order, then remove the folder.

        An event may be applied twice (a crash before that is noted); the events allow it.

        Returns:
            What could not be read and where it is kept now, for a person; empty where all could.
        """
        sent, damaged = self.sent(), 0
        for number, event in enumerate(self.read(), 1):
            if event is None:
                damaged += 1
            elif number > sent:
                apply(event)
                self.note_sent(number)
        if not damaged:
            shutil.rmtree(self.folder)
            return ""
        place = self.set_aside()
        return f"{damaged} line(s) of {place / 'events.jsonl'} cannot be read; the others are sent"

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def set_aside(self) -> Path:
        """Move it to where nobody sends it; returns the place."""
        place = workspace.scratch() / f"{_FOLDER}-damaged" / self.folder.name
        place.parent.mkdir(exist_ok=True)
        shutil.move(self.folder, place)
        return place

    def _keep(self, path: Path) -> Path:
        place = self.folder / "files" / str(time.time_ns())
        place.mkdir(parents=True)
        copy = shutil.copytree if path.is_dir() else shutil.copy
        return Path(copy(path, place / path.name))


def waiting() -> list[Journal]:
    """Journals of processes that no longer write them, oldest first."""
    folders = [
        path.parent
        for name in (_EARLIER, _FOLDER)
        for path in sorted((workspace.scratch() / name).glob("*/events.jsonl"))
    ]
    return [found for found in map(Journal, folders) if not _is_written(found)]


def _is_written(journal: Journal) -> bool:
    """Tell whether the process that writes a journal lives; another machine's by its end alone."""
    start = journal.start()
    try:
        writer = execution.Execution(**start["writer"]) if start else None
        if writer is None or not execution.alive(writer):
            return False
    except (KeyError, TypeError, ValueError, OverflowError):  # damaged
        return False
    return writer.machine == socket.gethostname() or not journal.ended()


def _event(line: bytes) -> Event | None:
    try:
        event = safe_json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
