"""Limit an archive, a parquet file and an array file as a whole, whatever their parts are."""

import io
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thawline.errors import UserError
from thawline.ingest.files import archive_reader
from thawline.ingest.items import MAX_SIDE_PX, Item, Reject
from thawline.ingest.sources import archive, npz, parquet

PNG = b"\x89PNG"


def add(tar: tarfile.TarFile, name: str, content: bytes = PNG, **more: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(content))


def two_classes(tar: tarfile.TarFile) -> None:
    for name in ("cat/0.png", "dog/0.png"):
        add(tar, name)


def rejects(path: Path) -> list[Reject]:
    return [item for item in archive.read(path).items if isinstance(item, Reject)]


def test_an_archive_has_no_more_members_than_its_size_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as tar:
        for number in range(2000):
            add(tar, f"{'cat' if number % 2 else 'dog'}/a.png", b"")
    size = (tmp_path / "a.tar.xz").stat().st_size
    assert size // archive_reader.LEAST_MEMBER_BYTES < 2000
    archive.read(tmp_path / "a.tar.xz")
    monkeypatch.setattr(archive_reader, "MIN_MEMBERS", 1999)
    with pytest.raises(UserError, match=f"more than 1999 members in {size} bytes"):
        archive.read(tmp_path / "a.tar.xz")


def test_an_archive_of_many_empty_members_is_refused_in_seconds(tmp_path: Path) -> None:
    head = tarfile.TarInfo("cat/a.png").tobuf()
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as tar:
        for _ in range(archive_reader.MIN_MEMBERS + 1):
            tar.fileobj.write(head)
            tar.offset += len(head)
    began = time.process_time()
    with pytest.raises(UserError, match="members in"):
        archive.read(tmp_path / "a.tar.xz")
    assert time.process_time() - began < 4


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["cat/" + "x" * 5000 + ".png", "cat/" + "a/" * 101 + "0.png"])
def test_a_member_with_too_long_a_name_is_set_aside(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            for one in ("cat/0.png", "dog/0.png", name):
                packed.writestr(one, PNG)
    else:
        with tarfile.open(path, "w") as tar:
            two_classes(tar)
            add(tar, name)
    (reject,) = rejects(path)
    assert "at most 4096 and 100" in reject.reason
    assert len(reject.name) <= 100


def test_the_names_of_folders_are_limited_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number in range(20):
            add(tar, f"cat/{number:090d}/a.png")
        two_classes(tar)
    archive.read(tmp_path / "a.tar")
    monkeypatch.setattr(archive, "MAX_FOLDER_BYTES", 1900)
    with pytest.raises(UserError, match="names of its folders have more than 1900"):
        archive.read(tmp_path / "a.tar")


def test_long_headers_are_limited_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz", format=tarfile.PAX_FORMAT) as tar:
        two_classes(tar)
        for number in range(50):
            add(tar, f"cat/{number}.png", pax_headers={"comment": "x" * 1000})
    archive.read(tmp_path / "a.tar.xz")
    monkeypatch.setattr(archive_reader, "MIN_HEADER_BYTES", 40_000)
    with pytest.raises(UserError, match="headers expand too far"):
        archive.read(tmp_path / "a.tar.xz")


def test_the_map_of_a_file_with_holes_is_not_read(tmp_path: Path) -> None:
    pax = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "cat/1.png",
           "GNU.sparse.realsize": "9"}  # fmt: skip
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        two_classes(tar)
        # Says that it has a million entries and has none: reading on would end the archive.
        add(tar, "cat/1.png", b"1000000\n".ljust(512, b"\0"), pax_headers=pax)
        add(tar, "cat/2.png")
    (reject,) = rejects(tmp_path / "a.tar")
    assert reject.reason == "a file with holes"


def table(path: Path, rows: int, **columns: list[Any]) -> Path:
    held = {"image": [PNG] * rows, "label": ["cat", "dog"] * (rows // 2)} | columns
    pq.write_table(pa.table(held), path, compression="zstd")
    return path


@pytest.mark.parametrize("struct", [False, True])
def test_a_value_that_many_rows_share_is_held_once(tmp_path: Path, struct: bool) -> None:
    value = bytes(2**20)
    images = [{"bytes": value, "path": "a"} if struct else value] * 256
    path = table(tmp_path / "a.parquet", 256, image=images)
    assert path.stat().st_size < 20_000
    before = pa.total_allocated_bytes()
    most, number = 0, 0
    for item in parquet.read(path).items:
        assert isinstance(item, Item)
        assert item.payload == value
        most, number = max(most, pa.total_allocated_bytes() - before), number + 1
    assert number == 256
    assert most < 2**24


def test_images_of_a_row_group_come_in_batches_by_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0)
    images = [noise.bytes(2**16) for _ in range(64)]
    path = table(tmp_path / "a.parquet", 64, image=images)
    monkeypatch.setattr(parquet, "_BATCH_BYTES", 2**18)
    sizes = []
    real = pq.ParquetFile.iter_batches

    def counted(self: Any, **more: Any) -> Any:
        sizes.append(more["batch_size"])
        return real(self, **more)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    found = [item.payload for item in parquet.read(path).items if isinstance(item, Item)]
    assert found == images
    assert min(sizes) <= 4


@pytest.mark.parametrize("column", ["label", "split", "group"])
def test_a_long_text_is_refused_before_it_is_copied(tmp_path: Path, column: str) -> None:
    path = table(tmp_path / "a.parquet", 2000, **{column: ["x" * 5000] * 2000})
    tracemalloc.start()
    try:
        with pytest.raises(
            UserError, match=f"column '{column}' has a value of 5000 bytes; at most"
        ):
            parquet.read(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_an_image_in_a_table_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path / "a.parquet", 4, image=[PNG, bytes(1001), PNG, PNG])
    monkeypatch.setattr(parquet, "MAX_IMAGE_BYTES", 1000)
    with pytest.raises(UserError, match="a value of 1001 bytes; at most 1000"):
        list(parquet.read(path).items)


def test_a_column_that_expands_too_far_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(tmp_path / "a.parquet", 4, image=[bytes(2**20), bytes(2**20 + 1), PNG, PNG])
    monkeypatch.setattr(parquet, "_MIN_CHUNK_BYTES", 2**20)
    with pytest.raises(UserError, match=r"'image' expands from \d+ to \d+ bytes"):
        list(parquet.read(path).items)


def array_file(path: Path, shape: str) -> Path:
    """An archive whose `train_images` says that it is of any shape."""
    labels = io.BytesIO()
    np.save(labels, np.array([0, 1], dtype=np.uint8))
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    images = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(64)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("train_images.npy", images)
        packed.writestr("train_labels.npy", labels.getvalue())
    return path


@pytest.mark.parametrize(
    "shape",
    ["(2, 4294967296, 4294967296)", "(2, 4294967296, 4294967295, 3)", f"(2, {MAX_SIDE_PX + 1}, 1)",
     "(2, 9223372036854775807, 3)", "(2, 0, 3)", "(2, -1, -3)", "((((", "(2, 'a', 3)",
     "(2, 3.5, 1)",
     "(2, 1" + "0" * 400 + ", 1)", "(" * 3000 + ")" * 3000],
)  # fmt: skip
def test_sides_of_an_array_are_limited_and_exact(tmp_path: Path, shape: str) -> None:
    with pytest.raises(UserError, match=r"a\.npz.*train_images") as refused:
        list(npz.read(array_file(tmp_path / "a.npz", shape)).items)
    assert len(str(refused.value)) < 400


def test_labels_of_an_array_file_are_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = array_file(tmp_path / "a.npz", "(2, 3, 3)")
    assert len(list(npz.read(path).items)) == 2
    monkeypatch.setattr(npz, "_MAX_LABEL_BYTES", 1)
    with pytest.raises(UserError, match="train_labels has 2 bytes; at most 1"):
        npz.read(path)
