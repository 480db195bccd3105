"""What a stranger's file may cost is bounded by its bytes, in each of the places that read it."""

import gzip
import io
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from stages import ingest
from thawline.errors import UserError
from thawline.ingest.decoding import limits
from thawline.ingest.decoding.decode import FORMATS, effort_px
from thawline.ingest.decoding.preprocess import Geometry
from thawline.ingest.files import archive_reader, file_filter
from thawline.ingest.items import Item, Reject
from thawline.ingest.labels import label_fixes, labels
from thawline.ingest.packing.packing import prepare
from thawline.ingest.sources import archive, csv, huggingface, idx, npz, parquet
from thawline.ingest.splits import holdout
from thawline.ingest.tables import csv_rows
from thawline.models.weights import read_state
from thawline.prediction import decoding
from thawline.prediction.listing import Bad
from thawline.runtime import dvc_view

Encode = Callable[..., bytes]
GEOMETRY = Geometry(image_size_px=8, fit="crop", background=(0, 0, 0))


def line(action: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        action()
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_large_file_is_read_neither_by_ingest_nor_by_predict(
    tmp_path: Path, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert file_filter.MAX_FILE_BYTES == limits.MAX_HELD_BYTES
    file = tmp_path / "a.png"
    file.write_bytes(encode(np.zeros((8, 8, 3), np.uint8), "PNG"))
    size = file.stat().st_size
    for limit, is_read in ((size, True), (size - 1, False)):
        monkeypatch.setattr(file_filter, "MAX_FILE_BYTES", limit)
        packed = prepare(Item(name="a.png", label=0, payload=file), GEOMETRY)
        (batch,) = decoding.batches([str(file)], GEOMETRY)
        if is_read:
            assert not isinstance(packed, Reject)
            assert batch.names == [str(file)]
        else:
            reason = f"cannot be read: {size} bytes; at most {limit} are read"
            assert isinstance(packed, Reject)
            assert packed.reason == reason
            assert batch.bad == [Bad(str(file), reason)]


@pytest.mark.parametrize("row", ["aa," * 400, '"a\n",' * 300], ids=["one line", "many lines"])
def test_a_long_row_of_a_table_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    monkeypatch.setattr(csv_rows, "MAX_ROW_CHARACTERS", 1000)
    (tmp_path / "t.csv").write_text(f"image,label\n{row}\n")
    said = "no CSV: a row of more than 1000 characters"
    assert f"'t.csv' row 2: {said}" in line(lambda: csv.read(tmp_path / "t.csv"))
    assert said in line(lambda: label_fixes.read(tmp_path / "t.csv", ("a", "b")))
    (tmp_path / "h.csv").write_text(f"image,sha256\n{row}\n")
    assert "1000 characters" in line(lambda: holdout.read(tmp_path / "h.csv"))


def test_rows_are_those_of_the_standard_library() -> None:
    import csv as standard

    chance = random.Random(0)
    for _ in range(300):
        text = "".join(chance.choice('ab,"\n\r ;') for _ in range(30))
        expected = list(standard.reader(io.StringIO(text, newline="")))
        assert list(csv_rows.read(io.StringIO(text, newline=""))) == expected


def test_a_holdout_list_as_a_spreadsheet_saves_it(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_text(f"image,sha256\na,{'0' * 64}\n", encoding="utf-8-sig")
    assert holdout.read(path) == {"0" * 64}
    path.write_text(f"image,sha256\na,{'0' * 64},\n")
    assert "row 2: expected" in line(lambda: holdout.read(path))


@pytest.fixture
def no_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_reader, "MIN_TOTAL_BYTES", 10_000)


@pytest.mark.usefixtures("no_floor")
def test_arrays_that_expand_too_far(tmp_path: Path) -> None:
    pixels, numbers = np.zeros((1000, 20, 20), np.uint8), np.arange(1000, dtype=np.uint8) % 2
    np.savez_compressed(tmp_path / "a.npz", train_images=pixels, train_labels=numbers)
    assert "'a.npz': expands to more than" in line(lambda: npz.read(tmp_path / "a.npz"))
    np.savez(tmp_path / "b.npz", train_images=pixels, train_labels=numbers)
    assert npz.read(tmp_path / "b.npz").num_items == 1000
    images = struct.pack(">4I", 0x0803, *pixels.shape) + pixels.tobytes()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    header = struct.pack(">2I", 0x0801, 1000)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(header + numbers.tobytes())
    assert "expands to more than" in line(lambda: idx.read(tmp_path))
    (tmp_path / "train-images-idx3-ubyte.gz").unlink()
    (tmp_path / "train-images-idx3-ubyte").write_bytes(images)
    assert idx.read(tmp_path).num_items == 1000


def test_parquet_that_another_library_is_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.table({"image": [bytes(100_000)] * 3})
    pq.write_table(table, tmp_path / "t.parquet", compression="zstd")
    huggingface._check_expansion(tmp_path)
    monkeypatch.setattr(parquet, "_MIN_CHUNK_BYTES", 1000)
    assert "column 'image' expands" in line(lambda: huggingface._check_expansion(tmp_path))


@pytest.mark.usefixtures("no_floor")
def test_archives_that_another_library_is_to_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.png", bytes(100_000))
    assert "expands to more than" in line(lambda: huggingface._check_expansion(tmp_path))


def test_folders_are_as_few_as_labels_may_be(
    tmp_path: Path, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = encode(np.zeros((8, 8, 3), np.uint8), "PNG")
    for name in "abc":
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "0.png").write_bytes(image)
    chosen: Any = SimpleNamespace(source="folder", path=str(tmp_path / "set"), options={})
    monkeypatch.setattr(labels, "MAX_CLASSES", 3)
    assert len(ingest._source(chosen).classes) == 3
    monkeypatch.setattr(labels, "MAX_CLASSES", 2)
    assert "3 classes; at most 2" in line(lambda: ingest._source(chosen))


def test_labels_that_a_set_does_not_name() -> None:
    assert huggingface._name(1, ["a", "b"]) == "b"
    assert "has label 2, and names for 0 to 1" in line(lambda: huggingface._name(2, ["a", "b"]))


def test_images_of_a_set_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface, "MAX_MEMBER_BYTES", 10)
    found = huggingface._payload({"bytes": bytes(11)}, (Path(), Path()))
    assert found == "11 bytes; at most 10"


def test_a_path_of_a_table_that_is_no_text(tmp_path: Path) -> None:
    paths = pa.array([b"a\xff.png", b"b.png"]).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"image": paths, "label": ["a", "b"]}), tmp_path / "t.parquet")
    assert "'t.parquet': 'utf-8' codec" in line(lambda: parquet.read(tmp_path / "t.parquet"))


def test_weights_that_would_unpack_to_any_size(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"a": torch.zeros(1000)}, path)
    assert read_state(path)["a"].shape == (1000,)
    with zipfile.ZipFile(path) as whole:
        held = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in held.items():
            packed.writestr(name, content)
    assert "its tensors are compressed" in line(lambda: read_state(path))


def test_weights_whose_records_overlap(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"a": torch.zeros(1000)}, path)
    data = path.read_bytes()
    directory = data.index(b"PK\1\2")
    sizes = struct.pack("<2I", 4000, 4000)  # of the tensor, in the table of contents
    assert data.count(sizes, directory) == 1
    path.write_bytes(
        data[:directory] + data[directory:].replace(sizes, struct.pack("<2I", 9000, 9000))
    )
    assert "more bytes than the file" in line(lambda: read_state(path))


def test_a_tar_that_ends_in_a_member_that_is_looked_at(tmp_path: Path) -> None:
    """Its name says nothing, so that its first bytes are read while the archive is listed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        info = tarfile.TarInfo("a/0")
        info.size = 50
        out.addfile(info, io.BytesIO(bytes(50)))
    (tmp_path / "a.tar").write_bytes(buffer.getvalue()[:520])
    assert "unexpected end of data" in line(lambda: archive.read(tmp_path / "a.tar"))


def test_slow_formats_count_several_times(encode: Encode) -> None:
    pixels = np.zeros((5, 4, 3), np.uint8)
    text = b"P3\n4 5 255\n" + b"0 " * 60
    odd = b"P6\n4 5 100\n" + bytes(60)
    for data, factor in (
        (encode(pixels, "PNG"), 1),
        (encode(pixels, "PPM"), 1),
        (text, 40),
        (odd, 40),
    ):
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            assert effort_px(image) == 20 * factor


@pytest.mark.parametrize("pattern", ["\\", "[z-a]"])
def test_a_pattern_that_dvc_cannot_read(tmp_path: Path, pattern: str) -> None:
    (tmp_path / ".dvcignore").write_text(f"{pattern}\n")
    ignores = dvc_view._Ignores()
    ignores.read(tmp_path)
    assert not ignores.match("a/b.png")
