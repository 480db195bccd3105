"""What is odd about a file that can be used: it is taken, and told in the data report."""

import io
import struct
import warnings
from pathlib import PurePosixPath

from PIL import Image

from thawline.data.decode import FORMATS

_SUFFIXES = {
    "BMP": {".bmp"},
    "GIF": {".gif"},
    "JPEG": {".jpg", ".jpeg"},
    "PNG": {".png"},
    "TIFF": {".tif", ".tiff"},
    "WEBP": {".webp"},
}
_ALL = frozenset().union(*_SUFFIXES.values())
_MARKS = {"GIF": b"", "JPEG": b"MPF\0", "PNG": b"acTL", "TIFF": b"", "WEBP": b""}
"""What a file with several frames has near its beginning; a JPEG with several is an MPO."""
_HEAD_BYTES = 2**17
"""EXIF data, up to 64 KiB, may stand before the mark."""


def note(name: str, data: bytes) -> str | None:
    """A remark on an encoded image that was decoded without complaint, or None."""
    kind = _kind(data)
    if kind is None:
        return None
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _ALL and suffix not in _SUFFIXES[kind]:
        return f"a {kind} file named {suffix}"
    return f"the first of several frames of a {kind} file" if _has_more(data, kind) else None


def _kind(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    starts = {
        b"BM": "BMP", b"GIF8": "GIF", b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG",
        b"II*\0": "TIFF", b"MM\0*": "TIFF",
    }  # fmt: skip
    return next((kind for start, kind in starts.items() if data.startswith(start)), None)


def _has_more(data: bytes, kind: str) -> bool:
    """Without decoding a frame; most PNG and JPEG files are done with after a search for a word."""
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
    except (struct.error, Image.DecompressionBombError):
        return False
    return True
