"""Decide which names are passed over, open files safely and notice changes to them."""

import errno
import hashlib
import os
import stat
from array import array
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

import numpy as np

from thawline.errors import UserError
from thawline.runtime.escape import escape
from thawline.runtime.links import OUTSIDE, Bounds, open_unlinked, unreadable_link

HIDDEN = "hidden"
LEFT_BY_SYSTEM = "left by a system or a NAS"
_LEFT_BY_SYSTEMS = frozenset({
    "__macosx", "network trash folder", "temporary items", "icon\r",  # macOS
    "$recycle.bin", "recycler", "recycled", "system volume information", "thumbs.db",
    "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini",  # Windows
    "@eadir", "#recycle", "#snapshot", "@tmp", "@sharebin",  # Synology
    "@recycle", "@recently-snapshot", "@__thumb",  # QNAP
    "~snapshot", "lost+found",
})  # fmt: skip
"""Names of files and folders, in lower case; the thumbnails among them are images."""
NOT_REGULAR = "not a regular file"
MAX_FILE_BYTES = 440 * 2**20
"""Largest file; no image that can be decoded needs as much: see limits.MAX_HELD_BYTES."""
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
Signature = tuple[int, int, int]


def passed_by(name: str) -> str | None:
    """Return the rule by which a file or folder of this name is passed over, or None."""
    if name.startswith("."):
        return HIDDEN
    return LEFT_BY_SYSTEM if name.lower() in _LEFT_BY_SYSTEMS else None


def locate(root: Path, file: Path) -> Path | str:
    """Find where a user's path really leads: any of its folders may be a link.

    Returns:
        The path without links, to be opened by `read_regular`; else the reason why it is not
        opened: a FIFO would hang the run, a link could lead anywhere.
    """
    try:
        real = file.resolve(strict=True)
        if not _bounds(root.absolute()).hold(real):
            return OUTSIDE
        mode = real.stat().st_mode
    except (OSError, RuntimeError, ValueError) as error:
        return unreadable_link(file, error)
    return real if stat.S_ISREG(mode) else NOT_REGULAR


@lru_cache(maxsize=8)
def _bounds(root: Path) -> Bounds:
    return Bounds(root)


def read_regular(file: Path, *, follow: bool = True) -> bytes:
    """Read a file that was regular when it was listed, and may be anything by now.

    Opening a FIFO the usual way would wait for a writer for ever.

    Args:
        file: the path.
        follow: True to follow links. A path that was listed has none any more: False makes sure
            that a link put in its place since then leads nowhere.

    Raises:
        OSError: it is missing, not regular, unreadable, a link now, too large, or written to.
    """
    number = os.open(file, _FLAGS) if follow else open_unlinked(file)
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file any more")
        if status.st_size > MAX_FILE_BYTES:
            raise OSError(errno.EFBIG, f"{status.st_size} bytes; at most {MAX_FILE_BYTES} are read")
        with os.fdopen(number, "rb", closefd=False) as opened:
            data = opened.read(status.st_size + 1)
        if len(data) > status.st_size:
            raise OSError(errno.EINVAL, "written to while it is read")
        return data
    finally:
        os.close(number)


def signature(file: Path) -> Signature:
    """Return size, time and inode of a file, to notice changes between two readings.

    Raises:
        UserError: it does not exist, or is not a regular file.
    """
    try:
        status = file.stat()
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "not a path"
        raise UserError(f"ingest.path: {escape(str(file))!r}: {problem}") from None
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"ingest.path: {escape(str(file))!r} is not a regular file")
    return status.st_size, status.st_mtime_ns, status.st_ino


def check_unchanged(file: Path, before: Signature) -> None:
    """Refuse a file that was written to between its two readings.

    Raises:
        UserError: it has changed.
    """
    if signature(file) != before:
        raise UserError(
            f"ingest.path: {escape(str(file))!r} changed while it was read; run it again"
        )


def changed(path: Path, others: Collection[str], added: Collection[str]) -> UserError:
    """Build the error for a source whose images changed after they were listed.

    Args:
        path: the source.
        others: names of all images that were added, removed or written to.
        added: those of them that exist now.
    """
    first = min(others)
    what = "is new or was written to" if first in added else "is gone"
    more = f", and {len(others) - 1} more" if len(others) > 1 else ""
    return UserError(
        f"ingest.path: {escape(str(path))!r} changed while it was read: {escape(first)!r} {what}"
        f"{more}; run it again"
    )


def name_hash(name: str) -> int:
    """Hash a name to 64 bits."""
    data = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def repeated(hashes: "array[int]") -> frozenset[int]:
    """Find hashes that occur more than once; 8 bytes a name, where a set takes 100."""
    values, counts = np.unique(np.frombuffer(hashes, dtype=np.uint64), return_counts=True)
    return frozenset(values[counts > 1].tolist())
