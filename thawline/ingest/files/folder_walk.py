"""Walk a folder of images: each file is used, set aside with a reason, or passed over by a rule.

A file with the suffix of an image is listed without opening it, since it is opened later anyway;
any other is opened, and listed when its first bytes are those of an image.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from thawline.ingest.decoding import file_format
from thawline.ingest.files.file_filter import NOT_REGULAR, passed_by
from thawline.runtime.links import OUTSIDE, Bounds, open_unlinked, unreadable_link

FOLDER_LINK = "a link to a folder; not followed"
THUMBNAIL = "thumbnail of a camera"
LOOSE = "beside the class folders, so without a class"
_LINK_OUT = "link to outside, of no image's name"
_THUMBNAIL_SUFFIXES = frozenset({".thm"})


class Entry(NamedTuple):
    """A file that may be an image.

    Attributes:
        name: path below the root, with / between folders.
        reason: why it is set aside, or None.
        target: where a link leads, else None.
        size: bytes of the file that is read.
        mtime_ns: time of the file that is read, ns.
    """

    name: str
    reason: str | None
    target: str | None = None
    size: int = 0
    mtime_ns: int = 0


@dataclass
class Walker:
    """Walker of folders below one root that counts what it passes over, by rule.

    Attributes:
        bounds: where links may lead.
        passed_over: number of files left out by a rule, by rule.
    """

    bounds: Bounds
    passed_over: Counter[str] = field(default_factory=Counter)

    def path(self, entry: Entry) -> Path:
        """Return an entry's real path, without links."""
        return Path(entry.target or f"{self.bounds.root}/{entry.name}")

    def walk(self, name: str = "") -> Iterator[Entry]:
        """Yield possible images below a folder: its files sorted, then those of its folders.

        Args:
            name: path of the folder below the root; "" for the root itself.
        """
        waiting = [name]
        while waiting:
            folder = waiting.pop()
            entries = scan(self.bounds.root, folder)
            if isinstance(entries, str):
                yield Entry(folder or ".", entries)
                continue
            below = f"{folder}/" if folder else ""
            waiting.extend(reversed(self.folders(entries, below)))
            entries.reverse()
            while entries:  # one that was looked at keeps its whole status: let it go
                one = entries.pop()
                if not one.is_dir(follow_symlinks=False):
                    yield from self.file(one, below + one.name)

    def folders(self, entries: list[os.DirEntry[str]], below: str) -> list[str]:
        """List the folders among the entries; count the files of those passed over."""
        found = []
        for one in entries:
            if one.is_dir(follow_symlinks=False):
                if rule := passed_by(one.name):
                    self.passed_over[rule] += count_files(one.path)
                else:
                    found.append(below + one.name)
        return found

    def file(self, one: os.DirEntry[str], name: str) -> Iterator[Entry]:
        """Yield the entry of a file, unless a rule passes it over."""
        if rule := passed_by(one.name):
            self.passed_over[rule] += 1
            return
        suffix = os.path.splitext(one.name)[1].lower()  # noqa: PTH122 - 10 times a Path's speed
        found = self._link(one, name) if one.is_symlink() else _regular(one, name)
        is_named = suffix in file_format.IMAGE_SUFFIXES
        if rule := rule_for_suffix(suffix):
            self.passed_over[rule] += 1
        elif found.reason == OUTSIDE and not is_named:
            self.passed_over[_LINK_OUT] += 1
        elif found.reason == NOT_REGULAR and not is_named:
            self.passed_over[NOT_REGULAR] += 1
        elif found.reason is None and not is_named and not _is_image(self.path(found)):
            self.passed_over[no_image(suffix)] += 1
        else:
            yield found

    def _link(self, one: os.DirEntry[str], name: str) -> Entry:
        file = Path(one.path)
        try:
            real = file.resolve(strict=True)
            status = real.stat()
        except (OSError, RuntimeError, ValueError) as error:
            return Entry(name, unreadable_link(file, error))
        if stat.S_ISDIR(status.st_mode):
            return Entry(name, FOLDER_LINK)
        if not self.bounds.hold(real):
            return Entry(name, OUTSIDE)
        if not stat.S_ISREG(status.st_mode):
            return Entry(name, NOT_REGULAR)
        return Entry(name, None, str(real), status.st_size, status.st_mtime_ns)


def rule_for_suffix(suffix: str) -> str | None:
    """Return the rule that passes over images of a suffix, or None."""
    return THUMBNAIL if suffix in _THUMBNAIL_SUFFIXES else None


def no_image(suffix: str) -> str:
    """Format the rule by which a file of another kind is passed over."""
    return f"no image, {suffix[:12]}" if suffix else "no image, without a suffix"


def scan(root: Path, folder: str) -> list[os.DirEntry[str]] | str:
    """List a folder, sorted by name; or return why it cannot be listed."""
    try:
        with os.scandir(f"{root}/{folder}" if folder else root) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        return f"folder cannot be read: {error.strerror}"


def count_files(folder: str) -> int:
    """Count the files at any depth below a folder; links are not followed."""
    return sum(len(files) for _, _, files in os.walk(folder))


def _regular(one: os.DirEntry[str], name: str) -> Entry:
    try:
        status = one.stat(follow_symlinks=False)
    except OSError as error:
        return Entry(name, f"cannot be read: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return Entry(name, NOT_REGULAR)
    return Entry(name, None, None, status.st_size, status.st_mtime_ns)


def _is_image(file: Path) -> bool:
    """Return True where the first bytes are those of an image.

    An unreadable file counts as one: the error is reported when it would be decoded.
    """
    try:
        number = open_unlinked(file)
    except OSError:
        return True
    try:
        return file_format.image_format(os.read(number, file_format.HEAD_BYTES)) is not None
    except OSError:
        return True
    finally:
        os.close(number)
