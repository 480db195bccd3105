"""Write and read files that count only when they are whole: a header with a checksum."""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HEADER_BYTES = 8192
"""Size of the header; the body begins here, aligned for a memory map."""
HALF = ".half"
_FORMAT = "thawline-1"
_BLOCK = 1 << 20
_ABANDONED_S = 3600.0


def write(path: Path, about: Mapping[str, Any], body: Iterable[bytes | memoryview]) -> None:
    """Write a file beside its place, then move it there: a killed writer leaves the old one.

    Args:
        path: the file.
        about: plain values for the header, at most some 8,000 characters as JSON.
        body: the content.

    Raises:
        OSError: e.g. a full disk; what was written is removed.
    """
    half = path.with_name(f"{path.stem}-{uuid.uuid4().hex}{HALF}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with half.open("wb") as file:
            file.write(bytes(HEADER_BYTES))
            digest = hashlib.sha256(_text(about))
            for part in body:
                digest.update(part)
                file.write(part)
            header = {"format": _FORMAT, "sha256": digest.hexdigest(), "about": about}
            file.seek(0)
            file.write(json.dumps(header).encode().ljust(HEADER_BYTES))
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def read_about(path: Path) -> dict[str, Any]:
    """Read the header's values, after checking all bytes of the file.

    Raises:
        ValueError: cut short, damaged, or not a file of this kind.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        header = _header(file.read(HEADER_BYTES))
        digest = hashlib.sha256(_text(header["about"]))
        while block := file.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != header["sha256"]:
        raise ValueError("is cut short or damaged")
    about: dict[str, Any] = header["about"]
    return about


def remove_abandoned(folder: Path) -> None:
    """Remove the half files of writers that were killed."""
    for half in folder.glob(f"*{HALF}"):
        if half.stat().st_mtime < time.time() - _ABANDONED_S:
            half.unlink(missing_ok=True)


def _header(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("is no file of this kind") from None
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise ValueError("is of another version")
    if not isinstance(header.get("about"), dict):
        raise ValueError("is no file of this kind")
    return header


def _text(about: Mapping[str, Any]) -> bytes:
    return json.dumps(about, sort_keys=True).encode()
