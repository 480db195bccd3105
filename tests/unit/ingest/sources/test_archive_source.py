"""Archives of class folders, and what strangers put into archives."""

import io
import stat
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from thawline.errors import UserError
from thawline.ingest.files import archive_reader
from thawline.ingest.items import Item, Reject, Source
from thawline.ingest.packing.packing import Geometry, Packed, prepare
from thawline.ingest.sources import archive

Encode = Callable[..., bytes]
Content = Mapping[str, bytes]
KINDS = ("zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz")


@pytest.fixture(scope="module")
def png(encode: Encode) -> bytes:
    return encode(np.full((8, 8, 3), 90, np.uint8), "PNG")


@pytest.fixture
def content(png: bytes) -> Content:
    return {f"set/{c}/{k}.png": png for c in ("cat", "dog") for k in range(3)}


def packed(path: Path, content: Content) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in content.items():
                file.writestr(name, data)
        return path
    mode = {".gz": "gz", ".tgz": "gz", ".bz2": "bz2", ".xz": "xz"}.get(path.suffix, "")
    with tarfile.open(path, f"w:{mode}") as tar:  # type: ignore[call-overload]
        for name, data in content.items():
            _add(tar, name, data)
    return path


def _add(tar: tarfile.TarFile, name: str, data: bytes = b"", **values: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in values.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))


def listed(source: Source) -> tuple[dict[str, Item], dict[str, str]]:
    results = list(source.items)
    assert len(results) == source.num_items
    items = {r.name: r for r in results if isinstance(r, Item)}
    return items, {r.name: r.reason for r in results if isinstance(r, Reject)}


@pytest.mark.parametrize("kind", KINDS)
def test_classes_are_the_folders_below_the_root(
    tmp_path: Path, content: Content, kind: str
) -> None:
    source = archive.read(packed(tmp_path / f"a.{kind}", content))
    assert source.classes == ("cat", "dog")
    items, rejects = listed(source)
    assert list(items) == list(content)
    assert rejects == {}
    assert {name: item.label for name, item in items.items()} == {
        name: int("dog" in name) for name in content
    }
    geometry = Geometry(image_size_px=8, fit="crop", background=(0, 0, 0))
    assert all(isinstance(prepare(item, geometry), Packed) for item in items.values())
    assert {p.name for p in tmp_path.iterdir()} == {f"a.{kind}"}


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_folders_of_splits_are_honoured(tmp_path: Path, png: bytes, kind: str) -> None:
    names = [f"x/{s}/{c}/{s}.png" for s in ("train", "valid", "test") for c in ("cat", "dog")]
    source = archive.read(packed(tmp_path / f"a.{kind}", dict.fromkeys(names, png)))
    assert source.classes == ("cat", "dog")
    items, _ = listed(source)
    assert [item.split for item in items.values()] == ["train"] * 2 + ["val"] * 2 + ["test"] * 2


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_splits_in_other_spellings_and_one_without_classes(
    tmp_path: Path, png: bytes, kind: str
) -> None:
    tops = ("training_set/training_set", "val_set")
    names = [f"x/{top}/{c}/{k}.png" for top in tops for c in ("cat", "dog") for k in range(2)]
    flat = [f"x/test_set/{k}.png" for k in range(30)]
    source = archive.read(packed(tmp_path / f"a.{kind}", dict.fromkeys([*names, *flat], png)))
    assert source.classes == ("cat", "dog")
    items, rejects = listed(source)
    assert [item.split for item in items.values()] == ["train"] * 4 + ["val"] * 4
    assert (rejects, source.passed_over) == ({}, {"an image without a class folder": 30})
    assert source.remarks == (
        "30 images lie beside class folders in 'test_set', have no class and are passed over; "
        "the test rows are drawn from train; to use them, lay them into class folders there",
    )


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_folders_that_hold_the_same_folders_are_no_classes_in_silence(
    tmp_path: Path, png: bytes, kind: str
) -> None:
    names = [f"{top}/{c}/0.png" for top in ("one", "two") for c in ("ant", "bee")]
    (said,) = archive.read(packed(tmp_path / f"a.{kind}", dict.fromkeys(names, png))).remarks
    assert said.startswith("folders 'one', 'two' are taken for classes, and hold the same folders")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_what_is_no_candidate_is_ignored_and_counted(
    tmp_path: Path, content: Content, png: bytes, kind: str
) -> None:
    others = {"set/cat/Thumbs.db": png, "set/cat/.a.png": png, "set/notes.json": b"{}",
              "__MACOSX/set/cat/0.png": png, "set/.git/a.zip": png, "set/cat/@eaDir/0.png": png,
              "set/cat/0.thm": png, "set/cat/README": b"text"}  # fmt: skip
    source = archive.read(packed(tmp_path / f"a.{kind}", {**content, **others}))
    assert source.classes == ("cat", "dog")
    items, rejects = listed(source)
    assert (len(items), rejects) == (6, {})
    assert source.passed_over == {
        "left by a system or a NAS": 3, "hidden": 2, "no image, .json": 1,
        "thumbnail of a camera": 1, "no image, without a suffix": 1,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_images_are_known_by_their_bytes(
    tmp_path: Path, content: Content, png: bytes, kind: str
) -> None:
    others = {"set/cat/a.jfif": png, "set/cat/bare": png, "set/bird/a.txt": png}
    unread = {"set/cat/a.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"}
    source = archive.read(packed(tmp_path / f"a.{kind}", {**content, **others, **unread}))
    assert source.classes == ("bird", "cat", "dog")
    items, rejects = listed(source)
    assert set(items) == {*content, *others, *unread}
    assert (rejects, source.passed_over) == ({}, {})
    geometry = Geometry(image_size_px=8, fit="crop", background=(0, 0, 0))
    results = {name: prepare(item, geometry) for name, item in items.items()}
    bad = {name: result.reason for name, result in results.items() if isinstance(result, Reject)}
    assert bad == {"set/cat/a.heic": "a HEIC file, which is not read"}


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_images_beside_the_class_folders_are_set_aside(
    tmp_path: Path, content: Content, png: bytes, kind: str
) -> None:
    loose = dict.fromkeys(("cover.png", "set/loose.png"), png)
    source = archive.read(packed(tmp_path / f"a.{kind}", {**content, **loose}))
    items, rejects = listed(source)
    assert set(items) == set(content)
    assert rejects == dict.fromkeys(loose, "beside the class folders, so without a class")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_lead_outside_are_set_aside(
    tmp_path: Path, content: Content, png: bytes, kind: str
) -> None:
    bad = ("../evil.png", "set/cat/../../../evil.png", "/etc/evil.png", "C:/evil.png")
    source = archive.read(packed(tmp_path / f"a.{kind}", {**content, **dict.fromkeys(bad, png)}))
    items, rejects = listed(source)
    assert len(items) == 6
    assert len(rejects) == len(bad)
    assert set(rejects.values()) == {"name leads outside of the archive"}


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_inside_are_set_aside(tmp_path: Path, content: Content, kind: str) -> None:
    source = archive.read(
        packed(tmp_path / f"a.{kind}", {**content, "set/more.zip": b"PK", "set/b.tar.gz": b""})
    )
    assert set(listed(source)[1].values()) == {"an archive inside the archive"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_name_counts_once(tmp_path: Path, content: Content, encode: Encode, kind: str) -> None:
    other = encode(np.zeros((8, 8, 3), np.uint8), "PNG")
    path = packed(tmp_path / f"a.{kind}", content)
    if kind == "zip":
        with zipfile.ZipFile(path, "a") as file:
            file.writestr("set/cat/0.png", other)
    else:
        with tarfile.open(path, "a") as tar:
            _add(tar, "set/cat/0.png", other)
    items, rejects = listed(archive.read(path))
    assert items["set/cat/0.png"].payload == content["set/cat/0.png"]
    assert rejects == {"set/cat/0.png": "the same name a second time"}


def test_links_and_devices_in_a_tar_are_set_aside(tmp_path: Path, content: Content) -> None:
    path = packed(tmp_path / "a.tar", content)
    kinds = {"sym": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE,
             "block": tarfile.BLKTYPE, "char": tarfile.CHRTYPE}  # fmt: skip
    with tarfile.open(path, "a") as tar:
        for name, kind in kinds.items():
            _add(tar, f"set/cat/{name}.png", type=kind, linkname="set/dog/0.png")
    _, rejects = listed(archive.read(path))
    assert {Path(name).stem: reason for name, reason in rejects.items()} == {
        "sym": "a link", "hard": "a link",
        **dict.fromkeys(("fifo", "block", "char"), "not a regular file"),
    }  # fmt: skip


def test_links_and_devices_in_a_zip_are_set_aside(tmp_path: Path, content: Content) -> None:
    path = packed(tmp_path / "a.zip", content)
    with zipfile.ZipFile(path, "a") as file:
        for name, mode in {"link": stat.S_IFLNK, "fifo": stat.S_IFIFO}.items():
            info = zipfile.ZipInfo(f"set/cat/{name}.png")
            info.external_attr = (mode | 0o644) << 16
            file.writestr(info, "/etc/passwd")
        file.writestr("set/cat/lzma.png", b"x", zipfile.ZIP_LZMA)
        file.writestr("set\\dog\\windows.png", content["set/dog/0.png"])
    items, rejects = listed(archive.read(path))
    assert "set/dog/windows.png" in items
    assert {Path(name).stem: reason for name, reason in rejects.items()} == {
        "link": "a link",
        "fifo": "not a regular file",
        "lzma": "compression method 14 is not supported",
    }


def test_an_encrypted_member_is_set_aside(tmp_path: Path, content: Content) -> None:
    path = packed(tmp_path / "a.zip", content)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 8] |= 1
    path.write_bytes(data)
    assert listed(archive.read(path))[1] == {"set/cat/0.png": "encrypted"}


def test_a_wrong_checksum_in_a_zip_is_set_aside(
    tmp_path: Path, content: Content, png: bytes
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, data in content.items():
            file.writestr(name, data)
    data = bytearray(path.read_bytes())
    data[data.index(png) + len(png) // 2] ^= 1
    path.write_bytes(data)
    items, rejects = listed(archive.read(path))
    assert len(items) == 5
    assert rejects["set/cat/0.png"].startswith("damaged: Bad CRC-32")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", ["cut", "header", "text", "empty"])
def test_a_damaged_archive_is_refused(
    tmp_path: Path, content: Content, kind: str, damage: str
) -> None:
    path = packed(tmp_path / f"a.{kind}", content)
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[: len(data) // 2 + 600] = bytes(b ^ 0x55 for b in data[: len(data) // 2 + 600])
    changed = {"cut": data[: len(data) // 2], "header": data, "text": b"text\n" * 300, "empty": b""}
    path.write_bytes(changed[damage])
    with pytest.raises(UserError) as caught:
        listed(archive.read(path))
    assert str(caught.value).startswith(f"ingest.path: 'a.{kind}'")
    assert str(caught.value).isprintable()


def test_a_damaged_header_inside_a_tar_is_not_taken_for_the_end(
    tmp_path: Path, content: Content
) -> None:
    path = packed(tmp_path / "a.tar", content)
    data = bytearray(path.read_bytes())
    data[3 * 1024 + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="bad checksum"):
        archive.read(path)


def test_a_tar_that_ends_between_two_members_is_refused(tmp_path: Path, content: Content) -> None:
    path = packed(tmp_path / "a.tar", content)
    path.write_bytes(path.read_bytes()[: 4 * 1024])
    with pytest.raises(UserError, match="ends before its end mark"):
        archive.read(path)


@pytest.mark.parametrize("kind", ["tar.gz", "tar.xz"])
def test_a_checksum_at_the_end_is_compared(tmp_path: Path, content: Content, kind: str) -> None:
    path = packed(tmp_path / f"a.{kind}", content)
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"damaged|CRC|cannot be read"):
        archive.read(path)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_bomb_is_refused_in_little_memory(
    tmp_path: Path, content: Content, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_reader, "MIN_TOTAL_BYTES", 2**22)
    path = packed(tmp_path / f"a.{kind}", {**content, "set/cat/bomb.png": bytes(2**25)})
    tracemalloc.start()
    with pytest.raises(UserError, match="expands to more than"):
        archive.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_member_that_is_too_large_is_not_loaded(
    tmp_path: Path, content: Content, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_reader, "MAX_MEMBER_BYTES", 10_000)
    path = packed(tmp_path / f"a.{kind}", {**content, "set/cat/big.png": bytes(10_001)})
    assert listed(archive.read(path))[1] == {"set/cat/big.png": "10001 bytes; at most 10000"}


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_the_number_of_members_is_bounded(
    tmp_path: Path, content: Content, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_reader, "MAX_MEMBERS", 5)
    with pytest.raises(UserError, match="more than 5 members"):
        archive.read(packed(tmp_path / f"a.{kind}", content))


def test_a_name_of_a_megabyte_is_not_read(tmp_path: Path, content: Content) -> None:
    path = packed(tmp_path / "a.tar", content)
    with tarfile.open(path, "a", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, "set/cat/" + "x" * 2**21 + ".png")
    with pytest.raises(UserError, match="a header of"):
        archive.read(path)


def test_an_archive_that_changes_meanwhile_is_noticed(tmp_path: Path, content: Content) -> None:
    path = packed(tmp_path / "a.tar", content)
    source = archive.read(path)
    packed(path, {**content, "set/cat/9.png": b"x"})
    with pytest.raises(UserError, match="changed while it was read"):
        list(source.items)


@pytest.mark.parametrize(
    "names", [[], ["cat/0.png"], ["a.png", "b.png"], ["cat/a.txt", "dog/a.txt"]]
)
def test_fewer_than_two_classes_are_refused(tmp_path: Path, png: bytes, names: list[str]) -> None:
    content = {name: b"text" if name.endswith(".txt") else png for name in names}
    with pytest.raises(UserError, match=r"0 class folder\(s\)"):
        archive.read(packed(tmp_path / "a.zip", content))


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07\0", "rar"), (b"\x28\xb5\x2f\xfd", "zstd")],
)
def test_archives_of_other_kinds_are_named(tmp_path: Path, start: bytes, kind: str) -> None:
    (tmp_path / "a.zip").write_bytes(start + bytes(600))
    with pytest.raises(UserError, match=f"a {kind} archive; zip and tar are read"):
        archive.read(tmp_path / "a.zip")


def test_a_method_that_is_not_read_is_said_where_no_class_is_left(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as made:
        for name in ("ant/0.png", "bee/0.png"):
            made.writestr(name, bytes(200))
    with pytest.raises(UserError, match=r"; 2 set aside, first 'ant/0\.png': "):
        archive.read(tmp_path / "a.zip")
