"""Explain why Pillow cannot identify a TIFF: its channels, bits and kind of values.

Needs the standard library alone: see `decode`.
"""

import struct

_FORMATS = {1: "whole numbers", 2: "signed whole numbers", 3: "floats", 5: "complex numbers"}
_FORMATS[6] = _FORMATS[5]
_CHANNELS, _BITS, _FORMAT = 277, 258, 339
_SIZES = {1: 1, 3: 2, 4: 4, 16: 8}
"""Bytes of a value of each type that a tag here has."""
_MOST_TAGS = 4096


def objection(data: bytes) -> str | None:
    """Describe what a TIFF holds that is not supported; None for other files."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return None
    try:
        tags = _tags(data, order)
    except (struct.error, OverflowError):  # the latter of places beyond any file
        return None
    if tags is None:
        return None
    channels, bits = tags.get(_CHANNELS, 1), tags.get(_BITS, 1)
    kind = tags.get(_FORMAT, 1)
    if not 1 <= channels <= 65535:
        return None
    if channels not in (1, 3, 4):
        return f"a TIFF of {channels} channels; 1, 3 or 4 are read"
    readable = "8 or 16 bits" if channels > 1 else "1 to 16 or 32 bits, or 32-bit floats"
    several = f"{channels} channels" if channels > 1 else "1 channel"
    values = f"{_FORMATS.get(kind, 'values of an unknown kind')} of {bits} bits"
    return f"a TIFF of {several} of {values}; of {several}, {readable} are read"


def _tags(data: bytes, order: str) -> dict[int, int] | None:
    """Read the first value of each wanted tag from the first directory."""
    (magic,) = struct.unpack_from(f"{order}H", data, 2)
    if magic == 42:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (number,) = struct.unpack_from(f"{order}H", data, at)
        entry, at, inline = f"{order}HHI", at + 2, 4
    elif magic == 43:
        (at,) = struct.unpack_from(f"{order}Q", data, 8)
        (number,) = struct.unpack_from(f"{order}Q", data, at)
        entry, at, inline = f"{order}HHQ", at + 8, 8
    else:
        return None
    found = {}
    head = struct.calcsize(entry)
    for _ in range(min(number, _MOST_TAGS)):
        tag, kind, count = struct.unpack_from(entry, data, at)
        if tag in (_CHANNELS, _BITS, _FORMAT) and kind in _SIZES and count:
            value_at = at + head
            if _SIZES[kind] * count > inline:
                (value_at,) = struct.unpack_from(
                    f"{order}{'I' if inline == 4 else 'Q'}", data, value_at
                )
            code = {1: "B", 3: "H", 4: "I", 16: "Q"}[kind]
            (found[tag],) = struct.unpack_from(f"{order}{code}", data, value_at)
        at += head + inline
    return found
