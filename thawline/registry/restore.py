"""Restore a registered version's commit, params and DVC outputs: `thawline restore`.

What git and DVC's cache do not hold of it lies with the version: params.yaml and dvc.lock, which
need not have been committed, and the metrics, which DVC does not cache.
"""

import filecmp
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from thawline.dvc import hashes
from thawline.dvc.commands import dvc, git
from thawline.errors import UserError
from thawline.params import edit, params_file
from thawline.registry import versions
from thawline.registry.versions import HASH_TAG
from thawline.runtime import locks, progress, workspace
from thawline.runtime.escape import visible
from thawline.runtime.safe_yaml import format_value
from thawline.tracking.store import connect, patient

FOLDER = "restore"
COMMIT, DIRTY = "git.commit", "git.dirty"
_MODEL = Path("models/compress")
_RECORDED = ("params.yaml", "dvc.lock")
_LISTED = 3


@dataclass(frozen=True)
class Restored:
    """State of the workspace after a restore.

    Attributes:
        branch: branch that was checked out before; empty where there was none.
        dirty: True where the version was made with edits that were never committed; those outside
            params.yaml are lost.
    """

    version: str
    commit: str
    branch: str
    dirty: bool


def record(folder: Path) -> None:
    """Save what a later restore needs from the workspace, the current folder.

    Raises:
        UserError: params.yaml was edited since the run, and its earlier values would not be valid.
    """
    uncached = hashes.Graph(workspace.workspace()).uncached()
    for name in (*_RECORDED, *uncached):
        if Path(name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, folder / name)
    _undo_edits(folder / params_file.FILE)


def _undo_edits(path: Path) -> None:
    """Put the run's values back into a copy of params.yaml, edited since for the next run."""
    now, edited = params_file.read(path).values, dict[str, Any]()
    graph = hashes.Graph(workspace.workspace())
    for stage in graph.stages:
        for key, value in graph.params(stage).items():
            edited |= _other(key, reduce(getitem, key.split("."), now), value)
    if not edited:
        return
    try:
        edit.set_values(edited, path)
    except UserError as error:
        raise UserError(f"edited since the run; put its values back: {error}") from None
    listed = ", ".join(
        f"{key} {format_value(value)}" for key, value in list(edited.items())[:_LISTED]
    )
    more = f" and {len(edited) - _LISTED} more" if len(edited) > _LISTED else ""
    progress.log(
        f"{params_file.FILE} was edited since; recorded as the model was made: {listed}{more}"
    )


def _other(key: str, now: Any, then: Any) -> dict[str, Any]:
    """Find the smallest parts that differ; the options of a plugin count as one part."""
    if now == then:
        return {}
    sections = isinstance(now, Mapping) and isinstance(then, Mapping) and now.keys() == then.keys()
    if not sections:
        return {key: then}
    found: dict[str, Any] = {}
    for name, value in then.items():
        found |= _other(f"{key}.{name}", now[name], value)
    return found


def restore(named: str) -> Restored:
    """Bring commit, params and outputs of a version into the workspace.

    Args:
        named: a version's number, or an alias.

    Raises:
        UserError: there is no such version, it does not know its commit, something in the
            workspace is not committed or would be replaced without git having it, or git or DVC
            does not have what it needs. The commit, the params and dvc.lock may have been brought
            in by then; nothing of the user's is lost.
    """
    checked = params_file.load()
    store = connect(checked.tracking.experiment)
    patient()
    version = versions.find(store, checked.tracking.model_name, named)
    commit = version.tags.get(COMMIT)
    recorded = versions.files(store, version) / FOLDER
    if not commit or not recorded.is_dir():
        raise UserError(f"{version.name} {version.version}: does not say which commit made it")
    try:
        with locks.pipeline(owner="thawline restore"):
            _check_clean()
            _check_known(recorded)
            branch = git("branch", "--show-current")
            git("checkout", "--quiet", "--detach", commit)
            shutil.copytree(recorded, workspace.workspace(), dirs_exist_ok=True)
            _check_out()
    except locks.BusyError as busy:
        raise UserError(f"{busy}; wait for it or end it") from None
    if hashes.md5(_MODEL) != version.tags.get(HASH_TAG):
        raise UserError(f"{_MODEL}: is not the model of version {version.version}; `dvc status`")
    dirty = version.tags.get(DIRTY) == "true"
    return Restored(str(version.version), commit, branch, dirty)


def _check_clean() -> None:
    """Check that no tracked file differs from the last commit: a checkout would lose it.

    Raises:
        UserError: with the first such files.
    """
    changed = git("status", "--porcelain", "--untracked-files=no", "-z").split("\0")
    names = [visible(line[3:]) for line in changed if line]
    if names:
        listed = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
        raise UserError(f"not committed: {listed}; commit or put aside first, nothing was restored")


def _check_known(recorded: Path) -> None:
    """Check that git has every file that the version's files would replace.

    Raises:
        UserError: with files that only this folder has.
    """
    files = [path.relative_to(recorded) for path in sorted(recorded.rglob("*")) if path.is_file()]
    known = set(git("ls-files", "-z", "--", *map(str, files)).split("\0"))
    lost = [
        visible(str(path))
        for path in files
        if path.exists()
        and path.as_posix() not in known
        and not filecmp.cmp(path, recorded / path, shallow=False)
    ]
    if lost:
        listed = ", ".join(lost[:5]) + (" ..." if len(lost) > 5 else "")
        raise UserError(
            f"not in git: {listed}; the version has others of that name: `git add` and commit "
            "them, or move them away, first; nothing was restored"
        )


def _check_out() -> None:
    """Check out DVC's outputs, fetched from a remote if there is one; overwrite nothing."""
    verb = "pull" if dvc("remote", "list").strip() else "checkout"
    dvc(verb, "--quiet")
