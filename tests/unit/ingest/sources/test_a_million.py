"""Tables and archives of a million entries: known in bounded memory, refused in seconds."""

import re
import struct
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from thawline.dataset.image_store import StoreWriter
from thawline.errors import UserError
from thawline.ingest import collect as walk
from thawline.ingest.items import Item
from thawline.ingest.packing.packing import Geometry, pack
from thawline.ingest.sources import archive, csv

pytestmark = pytest.mark.slow
MILLION = 1_000_000
MIB = 2**20
GEOMETRY = Geometry(image_size_px=16, fit="crop", background=(0, 0, 0))


@contextmanager
def memory() -> Iterator[Callable[[], int]]:
    """Calls give the bytes by which this process has grown at most; Python's own tracing would take
    several times as long."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    yield lambda: _status("VmHWM") - before


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("million") / "set.csv"
    with file.open("w") as out:
        out.write("image,label\n")
        out.writelines(f"photographs/{k:07d}.png,class {k % 7}\n" for k in range(MILLION))
    return file


def test_a_table_of_a_million_rows_is_listed(table: Path) -> None:
    with memory() as grown:
        source = csv.read(table)
        assert source.num_items == MILLION
        assert len(source.classes) == 7
        assert grown() < 150 * MIB


def test_a_table_whose_images_are_not_there_is_refused_in_seconds(
    table: Path, tmp_path: Path
) -> None:
    with memory() as grown:
        source = csv.read(table)
        began = time.monotonic()
        results = pack(source.items, GEOMETRY, source.num_items)
        with pytest.raises(UserError) as caught, StoreWriter(tmp_path, 16) as writer:
            walk.collect(results, writer, source.classes, max_bad_ratio=0.1, num_items=MILLION)
        assert time.monotonic() - began < 120
        assert grown() < 250 * MIB
    text = str(caught.value)
    assert "100001 x cannot be read: No such file or directory" in text
    assert "First: 'photographs/0000000.png': row 2: " in text


def test_a_row_at_the_end_of_a_million_is_named(table: Path, tmp_path: Path) -> None:
    last = tmp_path / "set.csv"
    with last.open("wb") as out:
        out.write(table.read_bytes() + b"photographs/0000007.png,class 1\n")
    with pytest.raises(
        UserError, match=r"row 1000002: path 'photographs/0000007.png' is in .*9 al"
    ):
        csv.read(last)


def _zip(file: Path) -> None:
    """The standard library's writer takes minutes for this."""
    with file.open("wb") as out:
        central, place = [], 0
        for k in range(MILLION):
            name, data = _name(k), b"%d" % k
            crc = zlib.crc32(data)
            sizes = (crc, len(data), len(data), len(name), 0)
            local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 33, *sizes) + name + data
            entry = struct.pack(
                "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, *sizes, 0, 0, 0, 0, place
            )
            central.append(entry + name)
            out.write(local)
            place += len(local)
        size = out.write(b"".join(central))
        numbers = (MILLION, MILLION, size, place)
        out.write(struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, *numbers))
        out.write(struct.pack("<4sIQI", b"PK\6\7", 0, place + size, 1))
        many = (2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1)
        out.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, *many, 0))


def _tar(file: Path) -> None:
    info = tarfile.TarInfo(_name(0).decode())
    info.size = 1
    block = np.frombuffer(info.tobuf(tarfile.USTAR_FORMAT) + b"x" + bytes(511), np.uint8).copy()
    length = len(_name(0))
    with file.open("wb") as out:
        rest = int(block[length:148].sum()) + int(block[156:512].sum()) + 8 * 32
        for k in range(MILLION):
            name = _name(k)
            block[:length] = list(name)
            block[148:156] = list(b"%06o\0 " % (rest + sum(name)))
            out.write(block.tobytes())
        out.write(bytes(10_240))


def _name(k: int) -> bytes:
    return b"set/c%d/%07d.png" % (k % 2, k)


@pytest.mark.parametrize(("kind", "allowed"), [("zip", 700 * MIB), ("tar", 150 * MIB)])
def test_an_archive_of_a_million_members_is_listed_and_read(
    tmp_path: Path, kind: str, allowed: int
) -> None:
    """The table of contents of a zip is held whole; a tar has none."""
    file = tmp_path / f"a.{kind}"
    {"zip": _zip, "tar": _tar}[kind](file)
    with memory() as grown:
        source = archive.read(file)
        assert (source.num_items, source.classes) == (MILLION, ("c0", "c1"))
        names = [item.name for item in islice(source.items, 1000) if isinstance(item, Item)]
        assert names == [_name(k).decode() for k in range(1000)]
        assert grown() < allowed
