"""What could not be sent: kept on disk in order, with copies of the files, until `thawline log`."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from thawline import project

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
        (spool.folder / "header.json").write_text(json.dumps(header))
        return spool

    @property
    def header(self) -> Event:
        return dict(json.loads((self.folder / "header.json").read_text()))

    def append(self, event: Event) -> None:
        """Keep an event; its files are copied, since the next run of the stage deletes them."""
        files = [[str(self._keep(Path(path))), where] for path, where in event.get("files", [])]
        kept = {**event, "files": files} if files else event
        with (self.folder / "events.jsonl").open("a") as file:
            file.write(json.dumps(kept) + "\n")

    def send(self, apply: Callable[[Event], None]) -> None:
        """Apply what is not sent yet, in order, then remove the folder.

        An event may be applied twice (a crash before that is noted); the events allow it.
        Does nothing when another process is at it.
        """
        try:
            with FileLock(self.folder.with_suffix(".lock"), timeout=0):
                if self.folder.exists():
                    self._send(apply)
        except Timeout:
            return
        self.folder.with_suffix(".lock").unlink(missing_ok=True)

    def _send(self, apply: Callable[[Event], None]) -> None:
        mark = self.folder / "sent"
        sent = int(mark.read_text()) if mark.exists() else 0
        for number, event in enumerate(self._events(), 1):
            if number > sent:
                apply(event)
                mark.write_text(str(number))
        shutil.rmtree(self.folder)

    def _events(self) -> Iterator[Event]:
        path = self.folder / "events.jsonl"
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                yield json.loads(line)
            except ValueError:  # the last line of a process that was killed while it wrote
                return

    def _keep(self, path: Path) -> Path:
        place = self.folder / "files" / str(time.time_ns())
        place.mkdir(parents=True)
        copy = shutil.copytree if path.is_dir() else shutil.copy
        return Path(copy(path, place / path.name))


def pending() -> list[Spool]:
    """Oldest first."""
    folders = _folder().glob("*/header.json") if _folder().is_dir() else []
    return [Spool(header.parent) for header in sorted(folders)]


def _folder() -> Path:
    return project.scratch() / "spool"
