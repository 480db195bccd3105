"""Translate errors of a full or read-only disk into one message, whichever library met them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from thawline.errors import UserError

_CAUSES = re.compile(
    "No space left on device|Disk quota exceeded|File too large|Read-only file system"
    "|Permission denied",
    re.IGNORECASE,
)
_CUT_SHORT = re.compile(r"\d+ requested and \d+ written")
"""NumPy's only message for a full disk."""
_REMEDY = {
    "read-only file system": "mount it for writing, or work elsewhere",
    "permission denied": "change the permissions, or run as its owner",
}


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn a disk error into a message with its cause, its file and a way out.

    Recognised by the text: safetensors, ONNX and shutil raise errors of their own, without a
    number.

    Raises:
        UserError: instead of the original error.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if message := _message(error):
            raise UserError(message) from error
        raise


def _message(error: Exception) -> str | None:
    text = " ".join(str(error).split())
    if _CUT_SHORT.search(text):
        cause = "No space left on device"
    elif (found := _CAUSES.search(text)) is not None:
        cause = found.group()
    else:
        return None
    remedy = _REMEDY.get(cause.lower(), "make room and run it again: what was finished is kept")
    file = getattr(error, "filename2", None) or getattr(error, "filename", None)
    return f"{file}: {cause}; {remedy}" if file else f"{cause}; {remedy}"
