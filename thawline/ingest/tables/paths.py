"""Find the file that a table's path means, where it was written on another system.

A path is used as it is written wherever there is such a file. Else it may have been written on
Windows (backslashes, another case), on macOS (decomposed letters), from the project's folder, or
without the suffix or the folder, as in competitions.
"""

import errno
import os
import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PureWindowsPath

from thawline.ingest.decoding.file_format import SUFFIXES
from thawline.ingest.files.file_filter import locate, passed_by
from thawline.runtime.escape import escape

_GONE = f"cannot be read: {os.strerror(errno.ENOENT)}"
_SUFFIXES = tuple(sorted(f(suffix) for suffix in SUFFIXES for f in (str.lower, str.upper)))
_ABSOLUTE = "absolute, inside of the table's folder"
_BACKSLASHES = "written with \\ for /"
_PROJECT = "relative to the project's folder, not to the table's"
_FORM = "in another Unicode form than the files' names"
_SUFFIX = "without the files' suffix"
_CASE = "in another case than the files' names"
_MOST_FOLDERS = 20
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.ASCII | re.IGNORECASE)


class TablePaths:
    """Finder of files by a table's paths, inside its folder; counts inexact matches."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        roots = dict.fromkeys((_absolute(folder), str(folder.resolve())))
        self._roots = tuple(root.rstrip("/") + "/" for root in roots)
        self._counts: Counter[str] = Counter()
        self._folded: dict[str, dict[str, str | None]] = {}

    def find(self, text: str) -> tuple[str, Path | str]:
        """Find a file: its name relative to the table's folder, and its path.

        Returns:
            The name, and the path without links, or the reason why it is not opened.
        """
        name = posixpath.normpath(text)
        ways = []
        if name.startswith("/"):
            name, ways = self._relative(name), [_ABSOLUTE]
        found = self._located(name)
        if found == _GONE:
            for more, other in self._others(name):
                meant = self._located(other)
                if meant != _GONE:
                    name, found, ways = other, meant, ways + more
                    break
            else:
                found = _explained(name)
        if isinstance(found, Path):
            self._counts.update(ways)
        return name, found

    def name(self, text: str) -> str:
        """Name the file that `find` found, without checking where it really lies."""
        name = posixpath.normpath(text)
        if not name.startswith("/") and "\0" not in name and self._is_there(name):
            return name
        return self.find(text)[0]

    def key(self, text: str) -> str:
        """Normalise a path so that most of its spellings are one, without using the disk."""
        name = posixpath.normpath(text)
        if name.isascii() and name[0] != "/" and "\\" not in name:
            return name  # nearly always
        name = posixpath.normpath(name.replace("\\", "/"))
        name = self._relative(name) if name.startswith("/") else name
        return unicodedata.normalize("NFC", name)

    def forget(self) -> None:
        """Reset the counts."""
        self._counts.clear()

    def remarks(self) -> list[str]:
        """Describe how many paths were matched to a file that they do not literally name."""
        return [f"{count} paths of the table are {way}" for way, count in self._counts.items()]

    def _relative(self, name: str) -> str:
        """Make paths inside the folder relative to it; leave others as they are."""
        name = "/" + name.lstrip("/")
        root = next((root for root in self._roots if name.startswith(root)), "")
        return name[len(root) :]

    def _located(self, name: str) -> Path | str:
        if name.startswith("/") or name.split("/")[0] == ".." or "\0" in name:
            return "path leads outside of the table's folder"
        return locate(self._folder, self._folder / name)

    def _others(self, name: str) -> Iterator[tuple[list[str], str]]:
        """Yield other files that a path may mean, likeliest first, each with the changes."""
        ways: list[str] = []
        if "\\" in name:
            ways, name = [_BACKSLASHES], posixpath.normpath(name.replace("\\", "/"))
            if self._located(name) != _GONE:
                yield ways, name
                return
        from_here = self._relative(_absolute(Path(name)))
        if not from_here.startswith("/"):
            yield [*ways, _PROJECT], from_here
        folder, _, last = self._formed(name).rpartition("/")
        for form in _forms(last):
            formed = posixpath.join(folder, form)
            more = [*ways, _FORM] if formed != name else ways
            yield more, formed
            if suffix := self._only_suffix(formed):
                yield [*more, _SUFFIX], formed + suffix
        if cased := self._cased(name):
            yield [*ways, _CASE], cased
        if len(found := list(self._in_folders(name))) == 1:
            yield [*ways, *found[0][0]], found[0][1]

    def _in_folders(self, name: str) -> Iterator[tuple[list[str], str]]:
        """Yield files of that path below the folders beside the table, e.g. train_images."""
        for folder in self._folders:
            way = f"relative to its folder {escape(folder, 40)!r}"
            below = f"{folder}/{name}"
            if self._is_there(below):
                yield [way], below
            elif suffix := self._only_suffix(below):
                yield [way, _SUFFIX], below + suffix

    @cached_property
    def _folders(self) -> list[str]:
        try:
            with os.scandir(self._folder) as entries:
                folders = [one.name for one in entries if one.is_dir(follow_symlinks=False)]
        except OSError:
            return []
        return sorted(name for name in folders if not passed_by(name))[:_MOST_FOLDERS]

    def _cased(self, name: str) -> str | None:
        """Find the only path that differs from this one by case, or None."""
        there = ""
        for part in name.split("/"):
            named = part if self._is_there(there + part) else self._names(there).get(_fold(part))
            if named is None:
                return None
            there += named + "/"
        return there.rstrip("/")

    def _names(self, folder: str) -> dict[str, str | None]:
        """Map names in a folder by their case-folded form; None where two are alike."""
        if folder not in self._folded:
            names = self._folded[folder] = {}
            try:
                for name in os.listdir(self._folder / folder):  # noqa: PTH208 - names alone
                    key = _fold(name)
                    names[key] = None if key in names else name
            except OSError:
                pass
        return self._folded[folder]

    def _formed(self, name: str) -> str:
        """Follow the folders, each in whichever Unicode form is there."""
        there = ""
        for part in name.split("/"):
            forms = _forms(part)
            there += next((one for one in forms if self._is_there(there + one)), part) + "/"
        return there.rstrip("/")

    def _only_suffix(self, name: str) -> str | None:
        """Find the only image suffix that completes a name to a file, or None."""
        if posixpath.splitext(name)[1].lower() in SUFFIXES:
            return None
        found = [suffix for suffix in _SUFFIXES if self._is_there(name + suffix)]
        first = [suffix for suffix in found if self._is_same(name + found[0], name + suffix)]
        return found[0] if found and len(first) == len(found) else None

    def _is_there(self, name: str) -> bool:
        return os.path.lexists(self._folder / name)

    def _is_same(self, name: str, other: str) -> bool:
        """Return True where two names are one file, as on a case-insensitive disk."""
        return name == other or (self._folder / name).samefile(self._folder / other)


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _forms(name: str) -> Iterable[str]:
    if name.isascii():
        return (name,)
    return dict.fromkeys((name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))))


def _absolute(path: Path) -> str:
    """Make a path absolute without following links, as a person would write it."""
    return posixpath.normpath(path.absolute())


def _explained(name: str) -> str:
    if PureWindowsPath(name).drive:
        return f"{_GONE}; a path with a drive of Windows: give it relative to the table's folder"
    if _ADDRESS.match(name):
        return f"{_GONE}; an address, which is not fetched: give a path below the table's folder"
    return _GONE
