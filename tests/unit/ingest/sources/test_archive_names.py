"""Names in archives whose encoding nobody declared, as older programs and other countries write."""

import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from thawline.errors import UserError
from thawline.ingest.items import Source
from thawline.ingest.sources import archive

JAPANESE = ("\u72ac", "\u732b", "\u8868")
"""The last one has a backslash as its second byte in cp932."""


def zipped(
    path: Path, classes: tuple[str, ...], encoding: str, *, unicode_path: bool = False
) -> Path:
    """A zip as a program writes it that knows no UTF-8: bytes of a code page, no flag."""
    with zipfile.ZipFile(path, "w") as file:
        for k, name in enumerate(classes):
            raw = f"{name}/0.png".encode(encoding)
            # The same number of bytes in ASCII, put right below: zipfile would set the flag.
            info = zipfile.ZipInfo(f"{k:03d}".ljust(len(raw), "x"))
            if unicode_path:
                told = struct.pack("<BI", 1, zlib.crc32(raw)) + f"{name}/0.png".encode()
                info.extra = struct.pack("<HH", 0x7075, len(told)) + told
            file.writestr(info, b"x")
    data = path.read_bytes()
    for k, name in enumerate(classes):
        raw = f"{name}/0.png".encode(encoding)
        data = data.replace(f"{k:03d}".ljust(len(raw), "x").encode(), raw)
    path.write_bytes(data)
    return path


def names(source: Source) -> list[str]:
    return [item.name for item in source.items]


def test_another_encoding_is_told_and_can_be_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", JAPANESE[:2], "cp932")
    guessed = archive.read(path)
    (line,) = guessed.remarks
    assert "does not say how the names of classes" in line
    assert "ingest.options.name_encoding" in line
    assert len(guessed.classes) == 2
    source = archive.read(path, name_encoding="cp932")
    assert source.classes == JAPANESE[:2]
    assert names(source) == [f"{name}/0.png" for name in JAPANESE[:2]]
    assert list(source.remarks) == []


def test_a_backslash_inside_of_a_letter_is_no_folder(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", JAPANESE, "cp932")
    assert archive.read(path, name_encoding="cp932").classes == tuple(sorted(JAPANESE))


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_names_that_are_sure_need_no_option(tmp_path: Path, encoding: str) -> None:
    path = zipped(tmp_path / "a.zip", JAPANESE[:2], encoding, unicode_path=encoding == "cp932")
    source = archive.read(path)
    assert source.classes == JAPANESE[:2]
    assert list(source.remarks) == []


def test_a_flagged_name_is_not_decoded_anew(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for name in JAPANESE[:2]:
            file.writestr(f"{name}/0.png", b"x")
    source = archive.read(tmp_path / "a.zip", name_encoding="cp1251")
    assert source.classes == JAPANESE[:2]


def test_a_wrong_checksum_of_the_unicode_path_is_not_believed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", JAPANESE[:2], "cp932", unicode_path=True)
    data = path.read_bytes()
    for name in JAPANESE[:2]:
        checksum = struct.pack("<I", zlib.crc32(f"{name}/0.png".encode("cp932")))
        data = data.replace(b"\x01" + checksum, b"\x01\0\0\0\0")
    path.write_bytes(data)
    assert set(archive.read(path).classes).isdisjoint(JAPANESE)


def test_a_tar_of_another_encoding(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT, encoding="cp932") as tar:
        for name in JAPANESE[:2]:
            info = tarfile.TarInfo(f"{name}/0.png")
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
    guessed = archive.read(tmp_path / "a.tar")
    assert len(guessed.remarks) == 1
    assert all(name.isascii() for name in guessed.classes)
    source = archive.read(tmp_path / "a.tar", name_encoding="cp932")
    assert source.classes == JAPANESE[:2]
    assert len(names(source)) == 2


def test_two_unicode_forms_are_one_class_and_numbers_are_ordered(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for name in ("train/caf\u00e9", "train/bar", "test/cafe\u0301", "test/bar"):
            file.writestr(f"{name}/0.png", b"x")
    source = archive.read(tmp_path / "a.zip")
    assert source.classes == ("bar", "caf\u00e9")
    assert [(item.label, item.split) for item in source.items] == [
        (1, "train"), (0, "train"), (1, "test"), (0, "test"),
    ]  # fmt: skip
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        for name in ("10", "9", "2"):
            file.writestr(f"{name}/0.png", b"x")
    source = archive.read(tmp_path / "b.zip")
    assert source.classes == ("2", "9", "10")
    assert [item.label for item in source.items] == [2, 1, 0]


@pytest.mark.parametrize("name", ["latin", "rot13", "base64", "zlib", "a\0b", "x" * 1000])
def test_what_is_no_encoding_is_refused(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "a.zip", JAPANESE, "cp932")
    if name == "latin":
        name = "latin-13"
    with pytest.raises(
        UserError, match=r"ingest.options.name_encoding: .* is not a text encoding"
    ) as e:
        archive.read(path, name_encoding=name)
    assert str(e.value).isprintable()


def test_bytes_that_do_not_fit_the_encoding_are_kept_apart(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("\xe9t\xe9", "\xe8re"), "cp1252")
    source = archive.read(path, name_encoding="ascii")
    assert source.classes == ("\\udce8re", "\\udce9t\\udce9")
    assert len(source.remarks) == 1
    assert [item.label for item in source.items] == [1, 0]
