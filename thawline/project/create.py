"""Create a project that runs on the installed package: `thawline init DIR`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thawline.dvc import shipped
from thawline.errors import UserError
from thawline.params import edit, params_file
from thawline.project import generated

OWN = (
    "params.yaml", "data/holdout.csv", "data/label_fixes.csv", "data/none", ".gitignore",
    ".dvcignore",
)  # fmt: skip
"""Copied as they are, and the user's from then on."""
_DVC_CONFIG = ".dvc/config"


def create(folder: Path, values: Mapping[str, Any]) -> None:
    """Write the project's files and make it a repository of git and DVC; nothing is committed.

    Args:
        folder: empty, or not there yet.
        values: values of params.yaml that differ from the package's, by their dotted keys.

    Raises:
        UserError: the folder is not empty, cannot be written or lies in another git repository, a
            value is not allowed, or git is not there. Nothing is left behind.
    """
    source = shipped.folder()
    _check(folder)
    with _nothing_or_all(folder):
        for name in OWN:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target)
        if values:
            edit.set_values(values, folder / params_file.FILE)
        generated.write(folder, generated.files())
        _run(folder, "git", "init", "--quiet", "--initial-branch", "main")
        _run(folder, sys.executable, "-m", "dvc", "init", "--quiet")
        shutil.copyfile(source / _DVC_CONFIG, folder / _DVC_CONFIG)
        _run(folder, "git", "add", "--all")


def _check(folder: Path) -> None:
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not existing.is_dir():
        raise UserError(f"{existing}: is a file; a project needs a folder")
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder}: is not empty; a project begins in an empty or a new folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"{existing}: cannot be written")
    try:
        outer = subprocess.run(
            ["git", "-C", str(existing), "rev-parse", "--show-toplevel"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise UserError("git: is not installed, and a project needs it") from None
    if outer.returncode == 0:
        raise UserError(
            f"{folder}: lies in the git repository {outer.stdout.strip()}; a project is a "
            "repository of its own"
        )


@contextmanager
def _nothing_or_all(folder: Path) -> Iterator[None]:
    """Remove everything where the block fails, the folders that it made included."""
    missing = [p for p in (folder, *folder.absolute().parents) if not p.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        for path in missing or folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UserError(f"{folder}: cannot be written: {error.strerror}") from None
        raise


def _run(folder: Path, *command: str) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "DVC_ROOT"))}
    kept["DVC_NO_ANALYTICS"] = "1"  # `dvc init` would report itself before the config is there
    try:
        done = subprocess.run(
            command, cwd=folder, env=kept, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise UserError(f"{command[0]}: is not installed, and a project needs it") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise UserError(f"`{' '.join(command[-3:])}` failed: {said}")
