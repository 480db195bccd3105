"""Find the parts of a source that DVC cannot read, and those that it does not see.

DVC hashes a folder before a stage runs: a link to nothing ends it there, and it waits at a pipe for
ever. It goes behind no link to a folder, into no DVC project inside the folder, and `.dvcignore`
above it hides what it likes; a change of such parts runs nothing.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from thawline.runtime.links import unreadable_link
from thawline.runtime.safe_yaml import format_value

_NEVER = frozenset({".git", ".hg", ".dvc"})
_IGNORE = ".dvcignore"


class Broken(NamedTuple):
    """A path below the source on which DVC fails, and the reason."""

    name: str
    reason: str


def broken(path: Path) -> list[Broken]:
    """Find what DVC cannot hash at or below a path, except what it ignores."""
    ignores = _Ignores.above(path)
    found = list(_walk(path, path, ignores) if path.is_dir() else _one(path, path))
    return [one for one in found if not ignores.hide(path / one.name)]


def unseen(path: Path) -> list[str]:
    """Describe the parts of a folder that DVC does not look at, one line each."""
    if not path.is_dir():
        return []
    links, projects, hidden = list[str](), list[str](), list[str]()
    ignores = _Ignores.above(path)
    for base, folders, files in os.walk(path):
        folders.sort()
        for name in list(folders):
            folder = Path(base, name)
            inner = folder.relative_to(path).as_posix()
            if name in _NEVER:
                folders.remove(name)
            elif folder.is_symlink():
                links.append(inner)
            elif (folder / ".dvc").is_dir() and ignores.any:
                projects.append(inner)
                folders.remove(name)
            elif ignores.match(f"{folder}/"):
                hidden.append(f"{inner}/")
                folders.remove(name)
        hidden += [
            Path(base, name).relative_to(path).as_posix()
            for name in (sorted(files) if ignores.for_files else ())
            if ignores.match(f"{base}/{name}")
        ]
    parts = {"links to folders": links, "DVC projects of their own": projects,
             "what .dvcignore names": hidden}  # fmt: skip
    return [
        f"DVC does not see {what} in {format_value(str(path))} ({len(names):,}, first "
        f"{format_value(names[0])}): a change there reruns nothing"
        for what, names in parts.items()
        if names
    ]


def _walk(root: Path, folder: Path, ignores: "_Ignores") -> Iterator[Broken]:
    waiting = [str(folder)]
    while waiting:
        base = waiting.pop()
        try:
            with os.scandir(base) as entries:
                for one in entries:
                    if one.is_dir(follow_symlinks=False):
                        if one.name not in _NEVER:
                            waiting.append(one.path)
                    elif not one.is_file(follow_symlinks=False) or not _may_read(one.path):
                        yield from _one(root, Path(one.path))
                    elif one.name == _IGNORE and ignores.any:
                        name = Path(one.path).relative_to(root).as_posix()
                        yield Broken(name, "DVC allows none in a folder that it hashes")
        except OSError as error:
            name = Path(base).relative_to(root).as_posix()
            yield Broken(name, f"cannot be read: {error.strerror}")


def _one(root: Path, file: Path) -> Iterator[Broken]:
    try:
        mode = file.stat().st_mode
    except (OSError, RuntimeError) as error:
        yield Broken(file.relative_to(root).as_posix(), unreadable_link(file, error))
        return
    if stat.S_ISDIR(mode):
        return
    name = file.relative_to(root).as_posix()
    if not stat.S_ISREG(mode):
        yield Broken(name, "not a regular file")
    elif not _may_read(str(file)):
        yield Broken(name, "cannot be read: Permission denied")


def _may_read(file: str) -> bool:
    """Return True where the current user may read a file; root may read everything."""
    return os.geteuid() == 0 or os.access(file, os.R_OK, effective_ids=True)


@dataclass
class _Ignores:
    """The `.dvcignore` files that hold for a source: those of the folders above it.

    Attributes:
        specs: their folders, absolute, with what they hide; a deeper one has the last word.
        any: True where the source lies in a DVC project at all.
        for_files: True where one of them may name a file.
    """

    specs: list[tuple[str, object]] = field(default_factory=list)
    any: bool = False
    for_files: bool = False

    @classmethod
    def above(cls, path: Path) -> "_Ignores":
        found, here = cls(), path.resolve()
        projects = [folder for folder in here.parents if os.path.isdir(folder / ".dvc")]  # noqa: PTH112 - never raises
        if projects:
            found.any = True
            between = [f for f in here.parents if f.is_relative_to(projects[0])]
            for folder in reversed(between):
                found.read(folder)
        return found

    def read(self, folder: Path) -> None:
        """Add a folder's file, where there is one and DVC reads it."""
        import pathspec  # half of the time of this module's import

        try:
            lines = (folder / _IGNORE).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return
        patterns = [line for line in map(str.rstrip, lines) if line and not line.startswith("#")]
        if patterns:
            try:
                spec = pathspec.GitIgnoreSpec.from_lines(lines)
            except (ValueError, re.error):  # no pattern: DVC says so
                return
            self.for_files |= not all(pattern.endswith("/") for pattern in patterns)
            self.specs.append((str(folder), spec))

    def match(self, path: str) -> bool:
        """Return True where one of them names a path; a folder's ends with a slash."""
        if not self.specs:
            return False
        slash = "/" if path.endswith("/") else ""
        real = f"{Path(path).absolute()}{slash}"
        said = False
        for place, spec in self.specs:
            if real.startswith(f"{place}/"):
                found = spec.check_file(real[len(place) + 1 :]).include  # type: ignore[attr-defined]
                said = said if found is None else found
        return said

    def hide(self, path: Path) -> bool:
        """Return True where a path, or a folder above it, is named."""
        return self.match(str(path)) or any(self.match(f"{f}/") for f in path.absolute().parents)
