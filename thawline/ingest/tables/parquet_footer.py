"""Read sizes and extreme values of the columns of a Parquet file from its footer.

Without pyarrow: where a footer's statistics contradict its schema, pyarrow (25.0.1) ends the
process as soon as it is asked for a column. The format is Thrift's compact protocol; numbers of
fields are those of parquet.thrift. Only what is asked for here is kept.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"PAR1"
_DEEPEST = 32
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_NUMBERS = (4, 5, 6)
_ROW_GROUPS, _COLUMNS, _META_DATA = 4, 1, 3
_PATH, _UNPACKED, _PACKED, _STATISTICS = 3, 6, 7, 12
_MAX_VALUE, _MIN_VALUE = 5, 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A column of a group of rows.

    Attributes:
        name: name of the column in the table.
        packed: size in the file, bytes.
        unpacked: size in memory, bytes.
        ends: its smallest and largest value, encoded, where the file has them.
    """

    name: str
    packed: int
    unpacked: int
    ends: tuple[bytes, ...]


def read(file: Path) -> list[list[Chunk]]:
    """List the columns of each group of rows.

    Raises:
        ValueError: damaged.
        OSError: it cannot be read.
    """
    with file.open("rb") as opened:
        size = opened.seek(0, 2)
        opened.seek(max(0, size - 8))
        tail = opened.read(8)
        if len(tail) < 8 or tail[4:] != _MAGIC:
            raise ValueError("no Parquet file")
        (length,) = struct.unpack_from("<I", tail)
        if length > size - 8:
            raise ValueError("its footer is longer than the file")
        opened.seek(size - 8 - length)
        footer = _Compact(opened.read(length))
    try:
        return [group for kind in footer.wanted(_ROW_GROUPS) for group in _groups(footer, kind)]
    except (IndexError, struct.error, UnicodeDecodeError):
        raise ValueError("its footer is damaged") from None


def _groups(footer: "_Compact", kind: int) -> Iterator[list[Chunk]]:
    for inner in footer.items(kind):
        footer.require(inner, _STRUCT)
        yield [
            chunk
            for columns in footer.wanted(_COLUMNS)
            for column in footer.items(columns)
            for chunk in _chunk(footer, column)
        ]


def _chunk(footer: "_Compact", kind: int) -> Iterator[Chunk]:
    footer.require(kind, _STRUCT)
    for inner in footer.wanted(_META_DATA):
        footer.require(inner, _STRUCT)
        name, sizes, ends = "", {_PACKED: 0, _UNPACKED: 0}, dict[int, bytes]()
        for number, field in footer.fields():
            if number == _PATH:
                parts = [footer.binary(part) for part in footer.items(field)]
                name = parts[0].decode() if parts else ""
            elif number in sizes:
                sizes[number] = footer.number(field)
            elif number == _STATISTICS:
                footer.require(field, _STRUCT)
                for end, value in footer.fields():
                    if end in (_MAX_VALUE, _MIN_VALUE):
                        ends[end] = footer.binary(value)
                    else:
                        footer.skip(value)
            else:
                footer.skip(field)
        yield Chunk(
            name=name,
            packed=sizes[_PACKED],
            unpacked=sizes[_UNPACKED],
            ends=tuple(ends.values()),
        )


class _Compact:
    """Cursor in a text of Thrift's compact protocol; IndexError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def wanted(self, field: int) -> Iterator[int]:
        """Walk a structure; stop at one field, with its type, and skip the others."""
        for number, kind in self.fields():
            if number == field:
                yield kind
            else:
                self.skip(kind)

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yield number and type of each field of a structure; the caller reads or skips it."""
        number = 0
        while (head := self._byte()) & 15:
            number = number + (head >> 4) if head >> 4 else self._signed()
            yield number, head & 15

    def items(self, kind: int) -> Iterator[int]:
        """Yield the type of each item of a list; the caller reads or skips it."""
        self.require(kind, _LIST)
        head = self._byte()
        for _ in range(self._varint() if head >> 4 == 15 else head >> 4):
            yield head & 15

    def number(self, kind: int) -> int:
        if kind not in _NUMBERS:
            raise ValueError("its footer is damaged")
        return self._signed()

    def binary(self, kind: int) -> bytes:
        self.require(kind, _BINARY)
        end = self._varint() + self._at
        if end > len(self._data):
            raise IndexError
        found, self._at = self._data[self._at : end], end
        return found

    def require(self, kind: int, wanted: int) -> None:
        if kind != wanted:
            raise ValueError("its footer is damaged")

    def skip(self, kind: int, *, in_list: bool = False, depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise ValueError("its footer is nested too deeply")
        if kind in (_TRUE, _FALSE):
            self._at += in_list  # else it is in the field's type
        elif kind == _BYTE:
            self._at += 1
        elif kind in _NUMBERS:
            self._varint()
        elif kind == _DOUBLE:
            self._at += 8
        elif kind == _BINARY:
            self.binary(kind)
        elif kind in (_LIST, _SET):
            for inner in self.items(_LIST):
                self.skip(inner, in_list=True, depth=depth + 1)
        elif kind == _STRUCT:
            for _, inner in self.fields():
                self.skip(inner, depth=depth + 1)
        else:  # Parquet has no maps
            raise ValueError("its footer is damaged")

    def _byte(self) -> int:
        found = self._data[self._at]
        self._at += 1
        return found

    def _varint(self) -> int:
        found = shift = 0
        while True:
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
            shift += 7
            if shift > 63:
                raise ValueError("its footer is damaged")

    def _signed(self) -> int:
        found = self._varint()
        return (found >> 1) ^ -(found & 1)
