"""Keep memory that a training step frees for the next step, with GNU's C library on Linux."""

import ctypes
import platform
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt, as in malloc.h."""
_NEVER = -1
_ABOVE_ANY_TENSOR = 2**30
_MOST_BEFORE_2_35 = 2**25


def keep() -> bool:
    """Let malloc keep freed memory, large blocks too; return whether the library does so.

    By itself it gives memory back to the kernel as soon as enough is free, several times in a step,
    and the kernel fills the same pages with zeros again: see docs/decisions/0023. Memory then stays
    with the process until it ends, at the most that it ever needed at once.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    kept = bool(library.mallopt(_TRIM_THRESHOLD, _NEVER))
    return kept and any(
        library.mallopt(_MMAP_THRESHOLD, size) for size in (_ABOVE_ANY_TENSOR, _MOST_BEFORE_2_35)
    )
