"""Which files are meant: files, folders with everything below them, and `-` for standard input."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from thawline.data.candidates import SUFFIXES, is_hidden, objection

STDIN = "-"
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Bad:
    """A file that is skipped, as the user named it, and why."""

    name: str
    reason: str


def listed(paths: Iterable[str], stdin: BinaryIO) -> Iterator[str | Bad]:
    """Image files in the order given, those of a folder sorted; nothing is held in memory.

    A file that is named is taken whatever its suffix. Below a folder, hidden files and those
    without an image's suffix are passed over, and links are followed to inside the folder only.

    Args:
        stdin: what `-` stands for: one path a line, or ended by NUL bytes (`find -print0`).
    """
    for path in paths:
        for name in _from(stdin) if path == STDIN else (path,):
            yield from _below(name) if _is_folder(name) else (name,)


def _is_folder(name: str) -> bool:
    return "\0" not in name and os.path.isdir(name)  # noqa: PTH112 - 10 times a Path's speed


def _from(stdin: BinaryIO) -> Iterator[str]:
    """Paths as they come; a name may hold any byte but the one that ends it."""
    rest, separator = b"", b""
    while block := stdin.read1(_BLOCK) if hasattr(stdin, "read1") else stdin.read(_BLOCK):
        separator = separator or (b"\0" if b"\0" in block else b"\n")
        *whole, rest = (rest + block).split(separator)
        yield from (os.fsdecode(name) for name in whole if name)
    if rest:
        yield os.fsdecode(rest)


def _below(folder: str) -> Iterator[str | Bad]:
    root, found = Path(folder), False
    problems: list[Bad] = []

    def unreadable(error: OSError) -> None:
        problems.append(Bad(str(error.filename), f"folder cannot be read: {error.strerror}"))

    for base, folders, files in os.walk(folder, onerror=unreadable, followlinks=False):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(files):
            file = Path(base, name)
            if is_hidden(name) or file.suffix.lower() not in SUFFIXES:
                continue
            found = True
            reason = objection(root, file)
            yield Bad(str(file), reason) if reason else str(file)
    yield from problems
    if not found and not problems:
        yield Bad(folder, f"no image in this folder ({', '.join(sorted(SUFFIXES))})")
