"""Where DVC keeps a stage's outputs, and putting them back to what dvc.lock records."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from thawline.dvc.hashes import Graph
from thawline.errors import UserError
from thawline.runtime.dvc_config import cache_folders

_LOCK = Path("dvc.lock")
_HASH = re.compile(r"[0-9a-f]{32}(\.dir)?")


def require_cache(stage: str) -> None:
    """Before the work: DVC tries to write to its cache only after it.

    Raises:
        UserError: it cannot be written.
    """
    if os.environ.get("DVC_STAGE") != stage:
        return
    folder = _configured()
    if folder.exists() and not os.access(folder, os.W_OK):
        raise UserError(
            f"{folder}: DVC's cache cannot be written; mount it for writing, change its "
            "permissions, or name another one with `dvc cache dir`"
        )


def _configured() -> Path:
    """Take what the project's own files say."""
    folder = Path(".dvc")
    named = cache_folders([folder / "config.local", folder / "config"])
    return next(named, folder / "cache")


def discard(paths: Iterable[str]) -> None:
    """Remove what a stage made, where it does not count."""
    for path in map(Path, paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def put_back(stage: str) -> None:
    """Restore what dvc.lock records: DVC deleted it before the stage could object to its input.

    Does nothing outside of DVC, which then deleted nothing. What is not in DVC's cache stays away.
    """
    if os.environ.get("DVC_STAGE") != stage or not _LOCK.exists():
        return
    _dvc("checkout", "--quiet", "--force", stage)
    # Checkout leaves out what is not cached, e.g. metrics in git; the run cache has a copy.
    for name, md5 in Graph(Path()).recorded(stage).items():
        path, stored = Path(name), None if Path(name).exists() else cached(md5)
        if stored is not None and stored.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(stored, path)


def cached(md5: object) -> Path | None:
    """Where DVC keeps the content of that hash; None for what is no hash, whoever wrote it."""
    if not isinstance(md5, str) or not _HASH.fullmatch(md5):
        return None
    return _cache() / "files" / "md5" / md5[:2] / md5[2:]


def run_cache() -> Path:
    """Where DVC keeps what stages were made of, with the hashes of what they made."""
    return _cache() / "runs"


@cache
def _cache() -> Path:
    return Path(_dvc("cache", "dir").strip())


def _dvc(*words: str) -> str:
    command = [sys.executable, "-m", "dvc", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout
