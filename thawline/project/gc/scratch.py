"""Find files under `.thawline` that can be made again and were not used for a while."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from thawline.errors import UserError
from thawline.runtime import workspace

_KEPT_BY_FILE = ("resume", "features", "packed")
"""Checkpoints of trainings that nobody went on with, and caches; a use renews a file's time."""
_KEPT_BY_FOLDER = ("registered", "staging", "outbox")
"""Copies of registered versions, and what a process that was killed left behind."""
_WORKSPACES = "workspaces"


def old(before_s: float) -> dict[str, list[Path]]:
    """Find what was last used before a time, s since the epoch, by folder in the scratch."""
    found = {name: list((workspace.scratch() / name).rglob("*")) for name in _KEPT_BY_FILE}
    found = {name: [path for path in paths if path.is_file()] for name, paths in found.items()}
    found |= {name: list((workspace.scratch() / name).glob("*")) for name in _KEPT_BY_FOLDER}
    found[_WORKSPACES] = [
        p for p in (workspace.scratch() / _WORKSPACES).glob("[0-9]*") if p.is_dir()
    ]
    aged = {n: [p for p in paths if p.stat().st_mtime < before_s] for n, paths in found.items()}
    return {name: paths for name, paths in aged.items() if paths}


def size(path: Path) -> int:
    """Compute the bytes on disk of a file or of a folder, links not followed."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(file.lstat().st_size for file in files)


def remove(paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def no_trials() -> Iterator[None]:
    """Hold every workspace of trials.

    Raises:
        UserError: a trial is in progress.
    """
    with ExitStack() as held:
        for lock in sorted((workspace.scratch() / _WORKSPACES).glob("*.lock")):
            try:
                held.enter_context(FileLock(lock, timeout=0))
            except Timeout:
                raise UserError("a study is in progress; wait for it or end it") from None
        yield
