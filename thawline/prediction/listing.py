"""List files: given ones, those below folders, and those named on standard input for `-`."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from thawline.ingest.decoding.file_format import SUFFIXES
from thawline.ingest.files.folder_walk import Walker
from thawline.runtime.links import Bounds

STDIN = "-"
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Bad:
    """A file that is skipped, as the user named it, and the reason."""

    name: str
    reason: str


class Listed(str):
    """Name of a file below a folder, as the user would write it.

    Attributes:
        real: real path, without links; opened without following any.
    """

    __slots__ = ("real",)
    real: Path


def listed(
    paths: Iterable[str], stdin: BinaryIO, passed_over: Counter[str] | None = None
) -> Iterator[str | Bad]:
    """List image files in the order given, those of a folder sorted; no list is held in memory.

    A file that is named is used whatever it is. Below a folder the rules are those of the source
    `folder`: it is known by its suffix or its first bytes, and links lead where `Bounds` allows.

    Args:
        paths: files, folders and `-`.
        stdin: read for `-`: one path a line, or ended by NUL bytes (`find -print0`).
        passed_over: gets the number of files passed over, by rule.
    """
    for path in paths:
        for name in _from(stdin) if path == STDIN else (path,):
            yield from _below(name, passed_over) if _is_folder(name) else (name,)


def _is_folder(name: str) -> bool:
    return "\0" not in name and os.path.isdir(name)  # noqa: PTH112 - 10 times a Path's speed


def _from(stdin: BinaryIO) -> Iterator[str]:
    """Yield paths from a stream; a name may hold any byte but the one that ends it."""
    rest, separator = b"", b""
    while block := stdin.read1(_BLOCK) if hasattr(stdin, "read1") else stdin.read(_BLOCK):
        separator = separator or (b"\0" if b"\0" in block else b"\n")
        *whole, rest = (rest + block).split(separator)
        yield from (os.fsdecode(name) for name in whole if name)
    if rest:
        yield os.fsdecode(rest)


def _below(folder: str, passed_over: Counter[str] | None) -> Iterator[str | Bad]:
    walker, found = Walker(Bounds(Path(folder))), False
    for entry in walker.walk():
        found = True
        name = Listed(Path(folder, entry.name))
        name.real = walker.path(entry)
        yield Bad(str(name), entry.reason) if entry.reason else name
    if passed_over is not None:
        passed_over.update(walker.passed_over)
    if not found:
        yield Bad(folder, f"no image in this folder ({', '.join(sorted(SUFFIXES))})")
