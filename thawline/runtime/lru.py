"""Limit the size of folders of kept files: the least recently used ones go first."""

import os
import time
from pathlib import Path


def make_room(folder: Path, suffix: str, num_bytes: int, *, limit: int, since_ns: int) -> bool:
    """Remove the least recently used files until so much more fits.

    Args:
        folder: the folder.
        suffix: suffix of the files that count.
        num_bytes: bytes that are to fit.
        limit: largest size of all files together, bytes.
        since_ns: nothing that was used from then on is removed, ns since the epoch.

    Returns:
        True where it fits.
    """
    status = {file: file.stat() for file in folder.glob(f"*{suffix}")}
    total = num_bytes + sum(found.st_size for found in status.values())
    for file, found in sorted(status.items(), key=lambda pair: pair[1].st_mtime_ns):
        if total <= limit or found.st_mtime_ns >= since_ns:
            break
        file.unlink(missing_ok=True)
        total -= found.st_size
    return total <= limit


def mark_used(file: Path) -> None:
    """Set a file's times to now.

    The kernel's own stamps lag behind the clock by some milliseconds.
    """
    now = time.time_ns()
    os.utime(file, ns=(now, now))
