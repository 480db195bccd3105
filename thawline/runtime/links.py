"""Restrict where the links of a source may lead, and open files without following any.

A link may lead to a file of the source, or into the store of a tool that lays data out as links:
DVC (`cache.type symlink`), git-annex and DataLad, the cache of the Hugging Face hub.
"""

import errno
import os
import re
from pathlib import Path

from thawline.runtime import workspace
from thawline.runtime.dvc_config import cache_folders

OUTSIDE = "link to outside of the source"
DANGLING = "a link to nothing"
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
_DVC_NAME = re.compile(r"(files/md5/)?[0-9a-f]{2}/[0-9a-f]{30}")
_HUB_NAME = re.compile(r"[0-9a-f]{40,64}")


class Bounds:
    """The places that the links of one source may lead to."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        """Root of the source, without links."""
        self._dvc: list[Path] | None = None

    def hold(self, real: Path) -> bool:
        """Return True where a link's target, itself without links, may be read."""
        return real.is_relative_to(self.root) or self._stored(real)

    def _stored(self, real: Path) -> bool:
        return (
            self._in_hub(real)
            or self._in_annex(real)
            or any(_below(real, cache, _DVC_NAME) for cache in self._dvc_caches())
        )

    def _in_hub(self, real: Path) -> bool:
        """Return True for a file of the Hugging Face cache of this source.

        `<set>/snapshots/<commit>/...` is links to `<set>/blobs/<hash>`.
        """
        return any(
            folder.name == "snapshots" and _below(real, folder.parent / "blobs", _HUB_NAME)
            for folder in self.root.parents
        )

    def _in_annex(self, real: Path) -> bool:
        """Return True for a git-annex object of the repository that the source lies in.

        That may be a submodule or a work tree.
        """
        if "annex" not in real.parts:
            return False
        folders = (self.root, *self.root.parents)
        repository = next((f for f in folders if os.path.exists(f / ".git")), None)  # noqa: PTH110 - likewise
        return repository is not None and any(
            real.is_relative_to(store / "annex" / "objects") for store in _git_stores(repository)
        )

    def _dvc_caches(self) -> list[Path]:
        """List the caches of the project and of the DVC repository around the source."""
        if self._dvc is None:
            folders = [workspace.workspace().resolve(), workspace.root(), *self.root.parents]
            found = dict.fromkeys(f for f in folders if os.path.isdir(f / ".dvc"))  # noqa: PTH112 - never raises
            self._dvc = [cache for folder in found for cache in _dvc_caches(folder / ".dvc")]
        return self._dvc


def _below(real: Path, store: Path, pattern: re.Pattern[str]) -> bool:
    return real.is_relative_to(store) and bool(
        pattern.fullmatch(real.relative_to(store).as_posix())
    )


def _git_stores(repository: Path) -> list[Path]:
    """List the git folder, and the one it shares as a work tree or a submodule."""
    git = repository / ".git"
    try:
        if git.is_file():
            git = repository / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        common = git / "commondir"
        shared = [git / common.read_text(encoding="utf-8").strip()] if common.is_file() else []
        return [folder.resolve() for folder in (git, *shared)]
    except (OSError, ValueError):
        return []


def _dvc_caches(folder: Path) -> list[Path]:
    """Read the cache folders from the files of DVC's configuration.

    DVC's own command takes half a second.
    """
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    users = Path(os.environ.get("DVC_GLOBAL_CONFIG_DIR") or f"{home}/dvc")
    machines = Path(os.environ.get("DVC_SYSTEM_CONFIG_DIR") or "/etc/xdg/dvc")
    files = (folder / "config.local", folder / "config", users / "config", machines / "config")
    return [cache.resolve() for cache in (folder / "cache", *cache_folders(files))]


def unreadable_link(file: Path, error: Exception) -> str:
    """Explain why a path leads to no file."""
    if isinstance(error, FileNotFoundError) and file.is_symlink():
        return _dangling(file)
    if isinstance(error, RuntimeError) or getattr(error, "errno", None) == errno.ELOOP:
        return "cannot be read: link loop"
    return f"cannot be read: {getattr(error, 'strerror', None) or 'no path'}"


def _dangling(file: Path) -> str:
    try:
        target = os.readlink(file)  # noqa: PTH115 - as it is written
    except OSError:
        return DANGLING
    if "/annex/objects/" in target:
        return f"{DANGLING}; run `git annex get` or `datalad get`"
    if _DVC_NAME.search(target):
        return f"{DANGLING}; run `dvc pull` or `dvc checkout`"
    return DANGLING


def open_unlinked(file: Path) -> int:
    """Open a file for reading whose path has no link in it.

    Returns:
        A file descriptor.

    Raises:
        OSError: it cannot be opened, or it or a folder above it is a link by now.
    """
    file = file if file.is_absolute() else file.absolute()
    number = os.open(file, _OPEN)
    try:
        if os.readlink(f"/proc/self/fd/{number}") == str(file):  # noqa: PTH115 - no Path: it is hot
            return number
    except OSError:
        pass  # no such file system, or a path that is longer than a page
    os.close(number)
    return _opened_step_by_step(file)


def _opened_step_by_step(file: Path) -> int:
    """Open a file folder by folder.

    For systems that do not tell an open file's path, or tell it in other letters.
    """
    top, *parts = file.parts
    folder = os.open(top, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            below = os.open(part, _STEP, dir_fd=folder)
            os.close(folder)
            folder = below
        return os.open(parts[-1], _OPEN, dir_fd=folder)
    finally:
        os.close(folder)


_STEP = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""O_PATH needs no right to list the folder."""
