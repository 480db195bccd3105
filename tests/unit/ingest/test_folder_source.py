"""A folder of class folders, with what strangers leave in folders."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from thawline.dataset.image_store import StoreWriter
from thawline.errors import UserError
from thawline.ingest import collect as walk
from thawline.ingest import ingest_summary
from thawline.ingest.items import Item, Reject
from thawline.ingest.packing.packing import Geometry, pack
from thawline.ingest.sources import folder

Encode = Callable[..., bytes]


@pytest.fixture
def root(tmp_path: Path, encode: Encode) -> Path:
    """Two classes of five different images each."""
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(5):
            pixels = np.full((8, 8, 3), 20 * index + label, np.uint8)
            (tmp_path / "data" / name / f"{index}.png").write_bytes(encode(pixels, "PNG"))
    return tmp_path / "data"


def listed(root: Path) -> tuple[list[str], dict[str, str]]:
    items = list(folder.read(root).items)
    names = [item.name for item in items if isinstance(item, Item)]
    return names, {item.name: item.reason for item in items if isinstance(item, Reject)}


def test_classes_are_the_folders_and_files_nest(root: Path) -> None:
    (root / "cat" / "more" / "deep").mkdir(parents=True)
    (root / "cat" / "1.png").rename(root / "cat" / "more" / "deep" / "x.JPEG")
    source = folder.read(root)
    assert source.classes == ("cat", "dog")
    assert source.num_items == 10
    names, rejects = listed(root)
    assert "cat/more/deep/x.JPEG" in names
    assert rejects == {}


def test_what_is_no_candidate_is_ignored_and_counted(root: Path) -> None:
    (root / "cat" / ".hidden").mkdir()
    for name in ("Thumbs.db", ".DS_Store", "notes.json", ".a.png"):
        (root / "cat" / name).touch()
    (root / "cat" / ".hidden" / "a.png").touch()
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "a.png").touch()
    source = folder.read(root)
    assert (source.classes, source.num_items) == (("cat", "dog"), 10)
    assert source.passed_over == {
        "hidden": 3, "left by a system or a NAS": 2, "no image, .json": 1,
    }  # fmt: skip


def test_links_are_followed_inside_only(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes((root / "cat" / "0.png").read_bytes())
    (root / "cat" / "in.png").symlink_to(root / "dog" / "0.png")
    (root / "cat" / "out.png").symlink_to(outside)
    (root / "cat" / "loop.png").symlink_to(root / "cat" / "loop.png")
    (root / "cat" / "gone.png").symlink_to(root / "cat" / "nothing.png")
    (root / "cat" / "up").symlink_to(root)
    names, rejects = listed(root)
    assert "cat/in.png" in names
    assert rejects == {
        "cat/out.png": "link to outside of the source",
        "cat/loop.png": "cannot be read: link loop",
        "cat/gone.png": "a link to nothing",
        "cat/up": "a link to a folder; not followed",
    }


def test_what_is_no_file_never_hangs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "cat" / "fifo.png")
    monkeypatch.chdir(root / "cat")  # a socket's path may have 108 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        names, rejects = listed(root)
    assert rejects == dict.fromkeys(("cat/fifo.png", "cat/socket.png"), "not a regular file")
    assert len(names) == 10


HOSTILE = [
    "a b", "it's \"x\"", "line\nbreak", ";$(touch x)", "🍐", "\u202egnp", "-rf", "x" * 250,
    "caf\u00e9", "cafe\u0301", "Case", "case", "caf\udce9", "%s{}", "NUL", "a.png",
]  # fmt: skip


def test_hostile_names_are_kept_apart(root: Path, tmp_path: Path) -> None:
    content = [(root / "cat" / f"{index}.png").read_bytes() for index in range(5)]
    for index, name in enumerate(HOSTILE):
        (root / name).mkdir()
        for number, data in enumerate(content):
            (root / name / f"{name[:120]}{number}.png").write_bytes(
                data + bytes([index, number])  # other bytes, the same pixels: duplicates
            )
    source = folder.read(root)
    # The two Unicode forms of one name are one class; beside them, those that were there.
    assert len(set(source.classes)) == len(HOSTILE) - 1 + 2
    items = list(source.items)
    assert len({item.name for item in items}) == 5 * len(HOSTILE) + 10
    geometry = Geometry(image_size_px=8, fit="crop", background=(0, 0, 0))
    with StoreWriter(tmp_path / "packed", 8) as writer:
        found = walk.collect(pack(items, geometry, len(items)), writer, source.classes)
    assert found.num_seen == len(items)
    lines = ingest_summary.quarantine_rows(found)
    assert all(part.isprintable() for line in lines for part in line)
    for name in source.classes:
        name.encode()  # what is stored later is UTF-8


def test_many_levels(root: Path) -> None:
    deep = root / "cat"
    for level in range(200):
        deep = deep / f"{level}"
    deep.mkdir(parents=True)
    (root / "cat" / "0.png").rename(deep / "0.png")
    assert len(listed(root)[0]) == 10


@pytest.mark.parametrize(
    ("path", "expected"),
    [("missing", "No such file"), ("cat/0.png", "Not a directory"), ("cat", "0 class folder")],
)
def test_a_folder_without_classes(root: Path, path: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected) as caught:
        folder.read(root / path)
    assert str(caught.value).startswith("ingest.path: ")


def test_one_class_is_not_enough(root: Path) -> None:
    for file in (root / "dog").iterdir():
        file.unlink()
    with pytest.raises(UserError, match="1 class folder"):
        folder.read(root)


def test_the_path_is_shown_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        folder.read(tmp_path / "a\nb\u202e")
    assert str(caught.value).isprintable()


@pytest.fixture
def not_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Permissions do not stop root: be somebody else, who may pass through the folders above."""
    monkeypatch.chdir(root)
    for folder_above in (root, *root.parents[:5]):
        folder_above.chmod(folder_above.stat().st_mode | 0o055)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.fixture
def locked(root: Path) -> Iterator[None]:
    paths = [root / "cat", root / "dog" / "0.png"]
    for path in paths:
        path.chmod(0)
    yield
    for path in paths:
        path.chmod(0o755)


@pytest.mark.usefixtures("locked", "not_root")
def test_what_may_not_be_read_is_set_aside() -> None:
    source = folder.read(Path())
    assert source.classes == ("cat", "dog")
    geometry = Geometry(image_size_px=8, fit="crop", background=(0, 0, 0))
    results = list(pack(source.items, geometry, source.num_items))
    rejects = {r.name: r.reason for r in results if isinstance(r, Reject)}
    assert rejects == {
        "cat": "folder cannot be read: Permission denied",
        "dog/0.png": "cannot be read: Permission denied",
    }
    assert len(results) == 6
