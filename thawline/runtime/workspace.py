"""Locate the workspace that a stage runs in, and the project it belongs to."""

import os
from pathlib import Path
from typing import BinaryIO

from thawline.errors import UserError

SCRATCH = ".thawline"
_LOG_BYTES = 1_000_000
VARIABLE = "THAWLINE_PROJECT"
"""Names the project for a run in another working tree of it: stores, locks, records stay there."""


def workspace() -> Path:
    """Return the stage's folder; a temporary copy under `dvc exp run --temp` and `--queue`."""
    return Path.cwd()


def root() -> Path:
    """Return the project's folder, also from DVC's temporary copies, where DVC_ROOT names it.

    THAWLINE_PROJECT goes before it, since DVC sets DVC_ROOT to the working tree it runs in.
    Without either: the nearest folder upwards that holds `.dvc`, else the workspace.
    """
    named = os.environ.get(VARIABLE) or os.environ.get("DVC_ROOT")
    if named:
        return Path(named).resolve()
    here = workspace().resolve()
    return next((d for d in (here, *here.parents) if (d / ".dvc").is_dir()), here)


def scratch() -> Path:
    """Return the folder of untracked working files (locks, run state, caches)."""
    return root() / SCRATCH


def log_path(name: str) -> Path:
    """Return the log file of a process in the background."""
    return scratch() / f"{name}.log"


def log_file(name: str) -> BinaryIO:
    """Open the log file to append to; it is begun anew when it has grown large.

    Raises:
        UserError: it cannot be written.
    """
    path = log_path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        large = path.exists() and path.stat().st_size > _LOG_BYTES
        return path.open("wb" if large else "ab")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
