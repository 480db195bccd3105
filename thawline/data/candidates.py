"""Which names in a source may be images, which files may be opened, and which names repeat."""

import errno
import hashlib
import os
import stat
from array import array
from pathlib import Path

import numpy as np

from thawline.data.items import shown
from thawline.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
_IGNORED_FOLDERS = frozenset({"__macosx"})
Signature = tuple[int, int, int]


def is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _IGNORED_FOLDERS


def objection(root: Path, file: Path, *, foreign: bool = False) -> str | None:
    """Why a path is not opened: a FIFO would hang the run, a link could lead anywhere.

    Args:
        foreign: the path was written by somebody, not found by walking: any of its folders may be
            a link. Resolving them all costs more than the rest of the listing.
    """
    try:
        follow = foreign or file.is_symlink()
        if follow and not file.resolve(strict=True).is_relative_to(root.resolve()):
            return "link to outside of the source"
        mode = file.stat().st_mode
    except (OSError, RuntimeError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or 'link loop'}"
    return None if stat.S_ISREG(mode) else "not a regular file"


def read_regular(file: Path) -> bytes:
    """Content of a file that was one when it was listed, and may be anything by now.

    Opening a FIFO the usual way would wait for a writer for ever.

    Raises:
        OSError: it is not there, not regular, or cannot be read.
    """
    number = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(errno.EINVAL, "not a regular file any more")
        with os.fdopen(number, "rb", closefd=False) as opened:
            return opened.read()
    finally:
        os.close(number)


def signature(file: Path) -> Signature:
    """Size, time and inode of a file that is about to be read twice.

    Raises:
        UserError: it is not there, or no file.
    """
    try:
        status = file.stat()
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "not a path"
        raise UserError(f"ingest.path: {shown(str(file))!r}: {problem}") from None
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"ingest.path: {shown(str(file))!r} is not a regular file")
    return status.st_size, status.st_mtime_ns, status.st_ino


def check_unchanged(file: Path, before: Signature) -> None:
    """Refuse a file that was written to between its two readings.

    Raises:
        UserError: it is not the same any more.
    """
    if signature(file) != before:
        raise UserError(
            f"ingest.path: {shown(str(file))!r} changed while it was read; run it again"
        )


def name_hash(name: str) -> int:
    """64 bits that stand for a name."""
    data = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def repeated(hashes: "array[int]") -> frozenset[int]:
    """Hashes that occur more than once; 8 bytes a name, where a set of names takes 100."""
    values, counts = np.unique(np.frombuffer(hashes, dtype=np.uint64), return_counts=True)
    return frozenset(values[counts > 1].tolist())
