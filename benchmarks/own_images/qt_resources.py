"""Read Qt resource files (.rcc), which hold a tree of named files, without running any of Qt.

The format is that of Qt's own `rcc`: a header, then a tree of entries, their data and their names,
each found by its offset; data is plain or has been through zlib.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_MAGIC = b"qres"
_COMPRESSED, _FOLDER, _ZSTD = 0x01, 0x02, 0x04
_ENTRY_BYTES = {1: 14, 2: 22, 3: 22}
_MOST_BYTES = 64 << 20
"""Of one file: a picture of a game is far below it, and a damaged length far above."""
_DEEPEST = 32


def files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file, in the order of the tree.

    Raises:
        ValueError: the file is damaged, or of a version or compression that is not known.
    """
    try:
        yield from _Resource(path.read_bytes()).files()
    except (struct.error, zlib.error, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


class _Resource:
    def __init__(self, held: bytes) -> None:
        if held[:4] != _MAGIC:
            raise ValueError("not a Qt resource file")
        version, self._tree, self._data, self._names = struct.unpack_from(">4I", held, 4)
        if version not in _ENTRY_BYTES:
            raise ValueError(f"version {version}; known: 1 to 3")
        self._held, self._entry_bytes = held, _ENTRY_BYTES[version]

    def files(self) -> Iterator[tuple[str, bytes]]:
        yield from self._walk(0, ())

    def _walk(self, entry: int, folders: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        if len(folders) > _DEEPEST:
            raise ValueError("folders within each other without an end")
        place = self._tree + entry * self._entry_bytes
        name, flags = struct.unpack_from(">IH", self._held, place)
        inner = (*folders, self._name(name)) if entry else folders
        if flags & _FOLDER:
            count, first = struct.unpack_from(">II", self._held, place + 6)
            for child in range(first, first + count):
                yield from self._walk(child, inner)
        else:
            (offset,) = struct.unpack_from(">I", self._held, place + 10)
            yield "/".join(inner), self._content(self._data + offset, flags)

    def _name(self, offset: int) -> str:
        place = self._names + offset
        (characters,) = struct.unpack_from(">H", self._held, place)
        return self._held[place + 6 : place + 6 + 2 * characters].decode("utf-16-be")

    def _content(self, place: int, flags: int) -> bytes:
        if flags & _ZSTD:
            raise ValueError("compressed with zstd, which is not read")
        (length,) = struct.unpack_from(">I", self._held, place)
        stored = self._held[place + 4 : place + 4 + length]
        if not flags & _COMPRESSED:
            return stored
        # Qt puts the length of the result before zlib's stream.
        unpacked = zlib.decompressobj().decompress(stored[4:], _MOST_BYTES + 1)
        if len(unpacked) > _MOST_BYTES:
            raise ValueError(f"a file of more than {_MOST_BYTES} bytes")
        return unpacked
