"""Lock the workspace for one run and one writer, and end stages that outlive their DVC."""

import ctypes
import hashlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from thawline.errors import UserError
from thawline.runtime import workspace

BUSY = 75
"""Exit code of a run that another one kept from starting: EX_TEMPFAIL of sysexits.h."""
OWNER_VARIABLE = "THAWLINE_OWNER"
"""Says on whose behalf a process runs the pipeline; else it is named by its command."""
_WAIT_S = 10.0
_OWNER_CHARACTERS = 200
_REGISTRY_WAIT_S = 120.0
_WATCH_S = 0.5
_PR_SET_PDEATHSIG = 1


class BusyError(Exception):
    """Raised when the workspace belongs to another run; the message says whose."""


def die_with_parent(parent: int | None = None) -> None:
    """Ask Linux for SIGTERM when the parent, or the thread of it that started us, ends.

    `kill -9` of dvc leaves its stage running, and the next `dvc repro` would start a second
    writer on the same outputs.

    Args:
        parent: its process id; if it has ended already, the signal is sent at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def end_without(alive: Callable[[], bool]) -> None:
    """Send ourselves SIGTERM, again and again, once `alive` returns False; asked twice a second.

    For what `die_with_parent` does not see: a shell that stays between DVC and the stage, a
    sandbox or a system without that call.
    """

    def watch() -> None:
        while True:
            time.sleep(_WATCH_S)
            if not alive():
                os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def pipeline(
    wait_s: float = 0.0, kind: str = "pipeline", owner: str | None = None
) -> Iterator[None]:
    """Lock the workspace for one run of the pipeline, or for another kind of work.

    The system frees the lock of a process that dies; that it did not end in order is seen by what
    it wrote about itself, and noted.

    Args:
        wait_s: how long to wait for the current holder, s.
        kind: kind of work; different kinds do not exclude each other.
        owner: name shown to others; by default THAWLINE_OWNER, or `thawline run`.

    Raises:
        BusyError: another run holds it.
    """
    path = _path(f"-{kind}")
    lock, note = _lock_file(path), path.with_suffix(".owner")
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        raise BusyError(f"{_owner(path)} is in progress") from None
    try:
        if note.exists():
            print(f"took over the lock of {_owner(path)}, which is gone", file=sys.stderr)
        note.write_text(_self(owner), encoding="utf-8")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


@contextmanager
def registry(owner: str) -> Iterator[None]:
    """Lock the registry, so that the project's commands use it one after another.

    One lock for all working trees of the project; another command is waited for.

    Raises:
        UserError: another command has held it for two minutes.
    """
    path = workspace.scratch() / "locks" / "registry.lock"
    lock = _lock_file(path)
    try:
        lock.acquire(timeout=_REGISTRY_WAIT_S)
    except Timeout:
        raise UserError(f"{_owner(path)} is in progress; wait for it or end it") from None
    try:
        path.with_suffix(".owner").write_text(_self(owner), encoding="utf-8")
        yield
    finally:
        lock.release()


@contextmanager
def hold_workspace(stage: str) -> Iterator[None]:
    """Lock the workspace for one stage; the system frees it when the process ends.

    Raises:
        UserError: another stage still writes here.
    """
    path = _path()
    lock = _lock_file(path)
    try:
        lock.acquire(timeout=_WAIT_S)
    except Timeout:
        owner = _owner(path)
        raise UserError(
            f"{stage}: another stage ({owner}) is writing in this folder; wait for it or end it"
        ) from None
    try:
        path.with_suffix(".owner").write_text(f"{stage}, process {os.getpid()}", encoding="utf-8")
        yield
    finally:
        lock.release()


def idle(folder: Path) -> bool:
    """Return True where no run and no stage is in progress in a working tree of the project."""
    for suffix in ("-pipeline", ""):
        try:
            with _lock_file(_path(suffix, folder)).acquire(timeout=0):
                pass
        except Timeout:
            return False
    return True


def _path(suffix: str = "", folder: Path | None = None) -> Path:
    here = str((folder or workspace.workspace()).resolve())
    name = hashlib.sha256(here.encode()).hexdigest()[:16]
    return workspace.scratch() / "locks" / f"{name}{suffix}.lock"


def _self(owner: str | None) -> str:
    who = owner or os.environ.get(OWNER_VARIABLE, "thawline run")
    since = datetime.now().isoformat(" ", "seconds")
    return f"{who} (process {os.getpid()} on {socket.gethostname()}, since {since})"


def _lock_file(path: Path) -> FileLock:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path.parent}: cannot be made: {error.strerror}") from None
    return FileLock(path)


def _owner(path: Path) -> str:
    try:
        told = path.with_suffix(".owner").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return "unknown"
    safe = "".join(c if c.isprintable() else "?" for c in told)
    return safe[:_OWNER_CHARACTERS] or "unknown"
