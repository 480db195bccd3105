"""Provide working trees for trials: each trial has one to itself, and hands it on to the next.

They share DVC's cache, so a stage that one trial ran is restored in the others. File locks show
which are free, so that trials may run in threads or in processes.
"""

import hashlib
import itertools
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from thawline.flows.processes import CommandError
from thawline.flows.repository import git
from thawline.flows.worktree import WorkTree, edits, inputs
from thawline.runtime import locks, workspace
from thawline.studies.records import listing

_FOLDER = "workspaces"
_MARK, _TREE = "made", "tree"


@contextmanager
def free(root: Path) -> Iterator[Path]:
    """Provide a working tree of the project as it is now, for the block."""
    for number in itertools.count():
        place = workspace.scratch() / _FOLDER / str(number)
        place.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(place.with_suffix(".lock"), timeout=0):
                if not locks.idle(place / _TREE):  # what a worker left that was killed just now
                    continue
                yield _ready(root, place)
                return
        except Timeout:
            continue


def remove(root: Path) -> None:
    """Remove all working trees that are not in use."""
    for place in (workspace.scratch() / _FOLDER).glob("[0-9]*"):
        if place.is_dir():
            with suppress(Timeout), FileLock(place.with_suffix(".lock"), timeout=0):
                _remove(root, place)


def _ready(root: Path, place: Path) -> Path:
    """Return the tree, remade if the project has changed since it was made."""
    state = _state(root)
    mark, tree = place / _MARK, _tree(root, place)
    if not mark.is_file() or mark.read_text(encoding="utf-8") != state:
        mark.unlink(missing_ok=True)
        # `git worktree` and DVC's checkout are not meant for several at a time.
        with FileLock(workspace.scratch() / _FOLDER / "making.lock"):
            tree.make()
        mark.write_text(state, encoding="utf-8")
    return tree.folder


def _remove(root: Path, place: Path) -> None:
    with suppress(CommandError):
        _tree(root, place).remove()
    shutil.rmtree(place, ignore_errors=True)


def _tree(root: Path, place: Path) -> WorkTree:
    return WorkTree(root, git(root, "rev-parse", "HEAD"), f"{_FOLDER}/{place.name}/{_TREE}")


def _state(root: Path) -> str:
    found = [git(root, "rev-parse", "HEAD"), edits(root), [listing(root / n) for n in inputs(root)]]
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
