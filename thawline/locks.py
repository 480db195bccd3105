"""One writer per workspace, and no stage that outlives the DVC that started it."""

import ctypes
import hashlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from thawline import project
from thawline.errors import UserError

_WAIT_S = 10.0
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux for SIGTERM when the parent ends.

    `kill -9` of dvc leaves its stage running, and the next `dvc repro` would start a second
    writer on the same outputs. Elsewhere than on Linux the lock alone prevents that.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def workspace(stage: str) -> Iterator[None]:
    """Hold the workspace for one stage; the system frees it when the process ends, however.

    Raises:
        UserError: another stage still writes here.
    """
    here = str(project.workspace().resolve())
    name = hashlib.sha256(here.encode()).hexdigest()[:16]
    path = project.scratch() / "locks" / f"{name}.lock"
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


def _lock_file(path: Path) -> FileLock:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path.parent}: cannot be made: {error.strerror}") from None
    return FileLock(path)


def _owner(path: Path) -> str:
    try:
        return path.with_suffix(".owner").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
