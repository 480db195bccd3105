"""Note the appearance of a file or folder, to tell later whether it was changed."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

_HASHED_BYTES = 16 * 2**20
"""Files up to this size are known by their content, larger ones and folders by sizes and times."""


def look(path: Path) -> str:
    """Describe a file or folder; empty where there is nothing."""
    try:
        if path.is_dir():
            return _digest(repr(sorted(_stats(str(path)))).encode())
        stat = path.stat()
        if stat.st_size <= _HASHED_BYTES:
            return _digest(path.read_bytes())
    except OSError:
        return ""
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"


def stamp(path: Path) -> object:
    """Describe a file or folder by sizes and times alone; None where there is nothing."""
    try:
        if path.is_dir():
            return sorted(_stats(str(path)))
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _stats(folder: str) -> Iterator[tuple[str, int, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _stats(entry.path)
            else:
                try:
                    stat = entry.stat()
                except OSError:  # a link to nothing
                    stat = entry.stat(follow_symlinks=False)
                yield entry.path, stat.st_size, stat.st_mtime_ns, stat.st_ino


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
