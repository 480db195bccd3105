"""Remember sizes and times of many files in 8 bytes each, to notice changes later."""

import os
from array import array
from collections.abc import Iterable
from pathlib import Path

_MASK = 2**64 - 1


class FileMarks:
    """Marks of files, in the order in which they were added."""

    def __init__(self) -> None:
        self._marks: array[int] = array("Q")

    def add(self, file: Path) -> None:
        """Mark a file as it is now, whether it exists or not."""
        self._marks.append(_mark(file))

    def first_other(self, files: Iterable[Path]) -> Path | None:
        """Find the first of the same files, in the same order, that has changed."""
        pairs = zip(self._marks, files, strict=False)
        return next((file for mark, file in pairs if mark != _mark(file)), None)


def _mark(file: Path) -> int:
    """Hash size and time; the inode is left out, since some network file systems renew it."""
    try:
        status = os.stat(file)  # noqa: PTH116 - a third of the time of Path.stat
    except (OSError, ValueError):
        return 0
    return hash((status.st_size, status.st_mtime_ns)) & _MASK
