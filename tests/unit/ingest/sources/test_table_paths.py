"""Paths as other systems write them, each meaning a file that is there."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.ingest.table_remarks import told
from thawline.errors import UserError
from thawline.ingest.items import Item, Reject, Source
from thawline.ingest.sources import csv

COMPOSED = unicodedata.normalize("NFC", "caf\u00e9/\u00fcber.png")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "set" / "img").mkdir(parents=True)
    for name in ("a.png", "b.JPG", "both.png", "both.gif"):
        (tmp_path / "set" / "img" / name).write_bytes(b"x")
    return tmp_path / "set"


def read(root: Path, paths: Sequence[str]) -> Source:
    lines = [f"{path},{('ant', 'bee')[k % 2]}" for k, path in enumerate(paths)]
    (root / "set.csv").write_text("\n".join(["image,label", *lines]), encoding="utf-8")
    return csv.read(root / "set.csv")


def found(root: Path, path: str) -> tuple[str | None, str | None, list[str]]:
    """Name of the file that a path means, or the reason against it; and what is told."""
    source = read(root, ["img/none", path])
    result = list(source.items)[1]
    reason = result.reason if isinstance(result, Reject) else None
    if isinstance(result, Item):
        assert isinstance(result.payload, Path)
        assert result.payload.samefile(root / result.name)
    return (None if reason else result.name), reason, told(source)


def test_absolute_paths_inside_of_the_folder(root: Path) -> None:
    name, _, told = found(root, f"{root}/img/./a.png")
    assert name == "img/a.png"
    assert told == ["1 paths of the table are absolute, inside of the table's folder"]
    (root.parent / "link").symlink_to(root)
    lines = f"image,label\n{root.resolve()}/img/a.png,ant\n{root.parent}/link/img/b.JPG,bee\n"
    (root / "set.csv").write_text(lines)
    names = [item.name for item in csv.read(root.parent / "link" / "set.csv").items]
    assert names == ["img/a.png", "img/b.JPG"]


def test_absolute_paths_outside_of_the_folder(root: Path) -> None:
    (root.parent / "set2").mkdir()
    (root.parent / "set2" / "a.png").write_bytes(b"x")
    for path in (f"{root.parent}/set2/a.png", "/etc/passwd", f"{root}/../set2/a.png"):
        name, reason, told = found(root, path)
        assert (name, told) == (None, [])
        assert str(reason).endswith("path leads outside of the table's folder")


def test_backslashes(root: Path) -> None:
    name, _, told = found(root, r"img\.\a.png")
    assert name == "img/a.png"
    assert told == ["1 paths of the table are written with \\ for /"]
    assert "leads outside" in str(found(root, r"img\..\..\x.png")[1])
    assert "drive of Windows" in str(found(root, r"C:\data\a.png")[1])


def test_a_backslash_that_is_part_of_the_name(root: Path) -> None:
    (root / r"img\a.png").write_bytes(b"y")
    assert found(root, r"img\a.png") == (r"img\a.png", None, [])


@pytest.mark.parametrize(("path", "name"), [("img/a", "img/a.png"), (r"img\b", "img/b.JPG")])
def test_names_without_the_suffix(root: Path, path: str, name: str) -> None:
    taken, _, told = found(root, path)
    assert taken == name
    assert "1 paths of the table are without the files' suffix" in told


def test_a_name_that_may_be_two_files_is_not_guessed(root: Path) -> None:
    assert "No such file" in str(found(root, "img/both")[1])


@pytest.mark.parametrize(
    ("there", "written"),
    [
        (DECOMPOSED, COMPOSED),
        (COMPOSED, DECOMPOSED),
        (f"{DECOMPOSED[:5]}/{COMPOSED[5:]}", COMPOSED),
        (DECOMPOSED, COMPOSED.removesuffix(".png").replace("/", "\\")),
    ],
    ids=["decomposed", "composed", "mixed", "with all the rest"],
)
def test_another_unicode_form(root: Path, there: str, written: str) -> None:
    file = root / there
    file.parent.mkdir()
    file.write_bytes(b"x")
    name, _, told = found(root, written)
    assert name == os.path.normpath(there)
    assert "1 paths of the table are in another Unicode form than the files' names" in told


def test_paths_from_the_projects_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    lines = "image,label\nset/img/a.png,ant\nset/img/b,bee\n../set/img/both.png,ant\n"
    (root / "set.csv").write_text(lines)
    source = csv.read(Path("set/set.csv"))
    first, second, third = source.items
    assert first.name == "img/a.png"
    assert isinstance(second, Reject)
    assert isinstance(third, Reject)
    assert "leads outside" in third.reason
    assert told(source) == [
        "1 paths of the table are relative to the project's folder, not to the table's"
    ]


def test_a_link_out_is_not_followed_whatever_it_is_called(root: Path) -> None:
    (root.parent / "secret.png").write_bytes(b"x")
    (root / "img" / "out.png").symlink_to(root.parent / "secret.png")
    for path in (r"img\out.png", "img/out", f"{root}/img/out.png"):
        assert "link to outside" in str(found(root, path)[1])


@pytest.mark.parametrize("other", [r"img\a.png", "{root}/img/a.png", "./img//a.png"])
def test_one_file_in_two_spellings_is_there_twice(root: Path, other: str) -> None:
    with pytest.raises(UserError, match=r"row 3: path 'img/a.png' is in 'set.csv' row 2 already"):
        read(root, ["img/a.png", other.format(root=root)])


def test_two_files_whose_paths_look_alike_are_two(root: Path) -> None:
    (root / r"img\a.png").write_bytes(b"y")
    source = read(root, ["img/a.png", r"img\a.png"])
    assert [item.name for item in source.items] == ["img/a.png", r"img\a.png"]
    assert told(source) == []


@pytest.mark.parametrize("path", ["IMG/A.PNG", "img/A.png", "img/B.jpg", "Img\\a.png"])
def test_another_case(root: Path, path: str) -> None:
    """As on a disk of Windows or macOS, where the table and its files agreed."""
    name, reason, told = found(root, path)
    assert (name in ("img/a.png", "img/b.JPG"), reason) == (True, None), path
    assert "1 paths of the table are in another case than the files' names" in told


def test_two_files_that_differ_by_case_are_not_guessed(root: Path) -> None:
    (root / "img" / "A.png").write_bytes(b"y")
    assert found(root, "img/A.PNG")[0] is None
    assert found(root, "img/A.png")[0] == "img/A.png"


@pytest.mark.parametrize(("path", "name"), [("a.png", "img/a.png"), ("a", "img/a.png")])
def test_paths_below_a_folder_beside_the_table(root: Path, path: str, name: str) -> None:
    """As in competitions: train.csv has names alone, the files are in train_images."""
    (root / "empty").mkdir()
    taken, reason, told = found(root, path)
    assert (taken, reason) == (name, None)
    assert "1 paths of the table are relative to its folder 'img'" in told


def test_a_name_in_two_folders_is_not_guessed(root: Path) -> None:
    (root / "more").mkdir()
    (root / "more" / "a.png").write_bytes(b"z")
    assert found(root, "a.png")[0] is None
    assert found(root, "b.JPG")[0] == "img/b.JPG"


@pytest.mark.parametrize("address", ["s3://bucket/a.png", "https://a.example/a.png"])
def test_an_address_is_named_as_one(root: Path, address: str) -> None:
    assert "an address, which is not fetched" in str(found(root, address)[1])
