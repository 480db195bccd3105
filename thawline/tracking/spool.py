"""What could not be sent: kept on disk in order, with copies of the files, until `thawline log`."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from thawline.runtime import safe_json, workspace

Event = dict[str, Any]


class Spool:
    """One folder under `.thawline/spool/` for the rest of one run.

    header.json: run_id, parent_run_id, experiment, execution id. events.jsonl: one event a line.
    files/: artifacts. sent: how many events the store has.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, header: Event) -> "Spool":
        name = f"{time.time_ns():x}-{(header['run_id'] or header['parent_run_id'])[:8]}"
        spool = cls(_folder() / name)
        spool.folder.mkdir(parents=True)
        _write(spool.folder / "header.json", json.dumps(header))
        return spool

    @property
    def header(self) -> Event:
        """Read it.

        Raises:
            ValueError: it is damaged.
        """
        found = safe_json.loads((self.folder / "header.json").read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not {"run_id", "parent_run_id"} <= found.keys():
            raise ValueError("header.json says no run")
        return found

    def append(self, event: Event) -> None:
        """Keep an event; its files are copied, since the next run of the stage deletes them."""
        files = [[str(self._keep(Path(path))), where] for path, where in event.get("files", [])]
        kept = {**event, "files": files} if files else event
        with (self.folder / "events.jsonl").open("a+b") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - 1))
            # After half a line, of a disk that was full for a while, a new one begins.
            begun = b"" if file.read(1) in (b"", b"\n") else b"\n"
            file.write(begun + json.dumps(kept).encode() + b"\n")

    def send(self, apply: Callable[[Event], None]) -> str:
        """Apply what is not sent yet, in order, then remove the folder.

        An event may be applied twice (a crash before that is noted); the events allow it.
        Does nothing when another process is at it.

        Returns:
            What could not be read and where it is kept now, for a person; empty where all could.
        """
        said = ""
        try:
            with FileLock(self.folder.with_suffix(".lock"), timeout=0):
                if self.folder.exists():
                    said = self._send(apply)
        except Timeout:
            return ""
        self.folder.with_suffix(".lock").unlink(missing_ok=True)
        return said

    def _send(self, apply: Callable[[Event], None]) -> str:
        sent, damaged = self._sent(), 0
        for number, event in enumerate(self._events(), 1):
            if event is None:
                damaged += 1
            elif number > sent:
                apply(event)
                _write(self.folder / "sent", str(number))
        if not damaged:
            shutil.rmtree(self.folder)
            return ""
        place = _unread() / self.folder.name
        place.parent.mkdir(exist_ok=True)
        shutil.move(self.folder, place)
        return f"{damaged} line(s) of {place / 'events.jsonl'} cannot be read; the others are sent"

    def _sent(self) -> int:
        try:
            return int((self.folder / "sent").read_text())
        except (OSError, ValueError):  # all of it again, which the events allow
            return 0

    def _events(self) -> Iterator[Event | None]:
        """None for a line that is damaged, e.g. half of one, by a kill or a full disk."""
        path = self.folder / "events.jsonl"
        for line in path.read_bytes().split(b"\n") if path.exists() else []:
            if not line.strip():
                continue
            try:
                event = safe_json.loads(line)
            except ValueError:
                event = None
            yield event if isinstance(event, dict) and "event" in event else None

    def _keep(self, path: Path) -> Path:
        place = self.folder / "files" / str(time.time_ns())
        place.mkdir(parents=True)
        copy = shutil.copytree if path.is_dir() else shutil.copy
        return Path(copy(path, place / path.name))


def pending() -> list[Spool]:
    """Oldest first."""
    folders = _folder().glob("*/header.json") if _folder().is_dir() else []
    return [Spool(header.parent) for header in sorted(folders)]


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _unread() -> Path:
    return workspace.scratch() / "spool-damaged"


def _folder() -> Path:
    return workspace.scratch() / "spool"
