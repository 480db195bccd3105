"""Where things are: the workspace a stage runs in, and the project it belongs to."""

import os
from pathlib import Path

SCRATCH = ".thawline"
VARIABLE = "THAWLINE_PROJECT"
"""Names the project for a run in another working tree of it: stores, locks, records stay there."""


def workspace() -> Path:
    """The folder the stage runs in; a temporary copy under `dvc exp run --temp` and `--queue`."""
    return Path.cwd()


def root() -> Path:
    """The project itself, also from DVC's temporary copies, where DVC_ROOT names it.

    THAWLINE_PROJECT goes before it, since DVC sets DVC_ROOT to the working tree it runs in.
    Without either: the nearest folder upwards that holds `.dvc`, else the workspace.
    """
    named = os.environ.get(VARIABLE) or os.environ.get("DVC_ROOT")
    if named:
        return Path(named).resolve()
    here = workspace().resolve()
    return next((d for d in (here, *here.parents) if (d / ".dvc").is_dir()), here)


def scratch() -> Path:
    """Untracked working files (locks, run state, caches) that no output depends on."""
    return root() / SCRATCH
