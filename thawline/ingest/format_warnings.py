"""Note oddities of files that can be used, for the data report."""

import io
import struct
import warnings
from pathlib import PurePosixPath

from PIL import Image

from thawline.ingest.decoding.decode import FORMATS
from thawline.ingest.decoding.file_format import HEAD_BYTES, IMAGE_SUFFIXES, READ, image_format

_MARKS = {"AVIF": b"avis", "GIF": b"", "JPEG": b"MPF\0", "PNG": b"acTL", "TIFF": b"", "WEBP": b""}
"""Bytes near the beginning of a file with several frames; a JPEG with several is an MPO."""
_HEAD_BYTES = 2**17
"""EXIF data, up to 64 KiB, may stand before the mark."""


def note(name: str, data: bytes) -> str | None:
    """Describe an oddity of an image that was decoded without complaint, or return None."""
    kind = image_format(data[:HEAD_BYTES])
    if kind is None or kind not in READ:
        return None
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in IMAGE_SUFFIXES and suffix not in READ[kind]:
        return f"a {kind} file named {suffix}"
    return f"the first of several frames of a {kind} file" if _has_more(data, kind) else None


def _has_more(data: bytes, kind: str) -> bool:
    """Return True for an image of several frames, without decoding one.

    Most PNG and JPEG files are settled by a search for a word.
    """
    if kind not in _MARKS or data.find(_MARKS[kind], 0, _HEAD_BYTES) < 0:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(io.BytesIO(data), formats=FORMATS).seek(1)
    # Pillow meets odd headers with any of these; the first frame is fine.
    except (OSError, EOFError, SyntaxError, ValueError, TypeError, KeyError, IndexError):
        return False
    except (OverflowError, AttributeError, MemoryError, ZeroDivisionError):
        return False
    except (struct.error, RuntimeError, Image.DecompressionBombError):
        return False
    return True
