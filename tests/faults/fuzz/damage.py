"""Damaging files: bytes anywhere, and for texts values that a program may not expect."""

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from thawline.errors import UserError

Read = Callable[[bytes, Path], None]
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|[A-Za-z_][\w./-]*|[\[\]{},;:|]|\n')
_VALUES = (
    b"", b"0", b"-1", b"1", b"2", b"0.5", b"1e9", b"1e400", b"-0.0", b"NaN", b"Infinity", b"null",
    b"true", b"~", b'""', b'"x"', b"[]", b"{}", b"[1, 2]", b'{"a": 1}', b"9" * 19, b"9" * 5000,
    b'"\\u0000"', b'"\\ud800"', b'"\\n\\u001b"', b"\x00", b"\xff", b"\xe2\x80\xae", b"../x", b"/",
    b"[" * 3000, b'{"a":' * 3000, b"x" * 70_000, b"'", b'"', b"\\", b"&a", b"*a", b"!!int x",
    b"2001-01-01", b"4294967296", b"65535", b"-9223372036854775809", b"100000", b"3000000000",
)  # fmt: skip
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Whole files of one kind, and what reads a damaged one.

    Attributes:
        read: returns, or raises what is wrong with the reader.
        text: whether values are damaged besides bytes.
    """

    files: list[bytes]
    read: Read
    text: bool = False


def damaged(data: bytes, chance: Random, *, text: bool = False) -> bytes:
    """Cut, doubled, or with bytes changed, mostly near the ends, where the headers are.

    Args:
        text: in half of the cases put other values in the places of some.
    """
    if text and chance.random() < 0.5:
        return _with_other_values(data, chance)
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 9)):
        changed[_place(len(changed), chance)] = chance.choice(
            (0, 1, 127, 128, 255, chance.randrange(256))
        )
    if chance.random() < 0.15:
        del changed[chance.randrange(1, len(changed)) :]
    if chance.random() < 0.1:
        start = chance.randrange(len(changed))
        changed[start:start] = changed[start : start + chance.randrange(100)]
    return bytes(changed)


def _place(size: int, chance: Random) -> int:
    part = chance.random()
    if part < 0.4:
        return chance.randrange(size)
    near = chance.randrange(min(size, 200))
    return near if part < 0.8 else size - 1 - near


def _with_other_values(data: bytes, chance: Random) -> bytes:
    for _ in range(chance.randrange(1, 4)):
        found = [match.span() for match in _TOKEN.finditer(data)]
        if not found:
            return data
        start, end = chance.choice(found)
        other_start, other_end = chance.choice(found)
        value = chance.choice((*_VALUES, data[other_start:other_end]))
        data = data[:start] + value + data[end:]
    return data


def with_checksums(png: bytes) -> bytes:
    """Put the right checksum behind each chunk of a damaged PNG, so that its content is read."""
    out, at = bytearray(png), len(_PNG)
    while png.startswith(_PNG) and at + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, at)
        end = at + 8 + length
        if end + 4 > len(out):
            break
        out[end : end + 4] = zlib.crc32(out[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(out)


def refusable(action: Callable[[], object], refusal: type[Exception] = UserError) -> None:
    """Allow a result, or a refusal on one line that can be printed.

    Raises:
        ValueError: it cannot.
    """
    try:
        action()
    except refusal as error:
        said = str(error)
        if not said.isprintable() or not said:
            raise ValueError(f"not one printable line: {said[:500]!r}") from error
