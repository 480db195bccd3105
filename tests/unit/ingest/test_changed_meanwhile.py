"""An image that comes, goes or is written to while a source is read is noticed at the end."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from thawline.errors import UserError
from thawline.ingest.items import Source
from thawline.ingest.sources import archive, csv, folder

Encode = Callable[..., bytes]


@pytest.fixture
def root(tmp_path: Path, encode: Encode) -> Path:
    png = encode(np.full((8, 8, 3), 90, np.uint8), "PNG")
    for name in ("ant", "bee"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(3):
            (tmp_path / "data" / name / f"{index}.png").write_bytes(png)
    return tmp_path / "data"


def add(root: Path) -> None:
    (root / "ant" / "new.png").write_bytes(b"x")


def remove(root: Path) -> None:
    (root / "ant" / "1.png").unlink()


def rewrite(root: Path) -> None:
    (root / "ant" / "1.png").write_bytes(b"longer or shorter")


def touch(root: Path) -> None:
    os.utime(root / "ant" / "1.png", ns=(1, 1))


def divide(root: Path) -> None:
    (root / "cat").mkdir()
    (root / "cat" / "0.jfif").write_bytes(b"x")


CHANGES = {add: "'ant/new.png' is new", remove: "'ant/1.png' is gone", rewrite: "was written to",
           touch: "was written to", divide: "'cat/0.jfif' is new"}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_folder_that_changes(root: Path, change: Callable[[Path], None]) -> None:
    source = read_whole(folder.read(root))
    change(root)
    with pytest.raises(UserError, match=f"changed while it was read: .*{CHANGES[change]}.*run it"):
        source.check_unchanged()


def test_a_folder_in_which_nothing_or_no_image_changes(root: Path) -> None:
    source = read_whole(folder.read(root))
    source.check_unchanged()
    (root / "ant" / "notes.txt").write_text("no image")
    source.check_unchanged()


@pytest.mark.parametrize("change", [remove, rewrite, touch], ids=lambda change: change.__name__)
def test_the_images_of_a_table_that_change(root: Path, change: Callable[[Path], None]) -> None:
    rows = [f"{name}/{k}.png,{name}" for name in ("ant", "bee") for k in range(3)]
    (root / "set.csv").write_text("\n".join(["image,label", *rows]))
    source = read_whole(csv.read(root))
    source.check_unchanged()
    add(root)  # no row names it
    source.check_unchanged()
    change(root)
    with pytest.raises(UserError, match=r"changed while it was read: '1\.png'"):
        source.check_unchanged()


def test_a_table_that_changes(root: Path) -> None:
    (root / "set.csv").write_text("image,label\nant/0.png,ant\nbee/0.png,bee\n")
    source = read_whole(csv.read(root / "set.csv"))
    (root / "set.csv").write_text("image,label\nant/0.png,ant\nbee/0.png,bee\nbee/1.png,bee\n")
    with pytest.raises(UserError, match="changed while it was read"):
        source.check_unchanged()


def test_an_archive_that_changes_after_it_was_read(root: Path, tmp_path: Path) -> None:
    file = Path(shutil.make_archive(str(tmp_path / "set"), "zip", root))
    source = read_whole(archive.read(file))
    source.check_unchanged()
    os.utime(file, ns=(1, 1))
    with pytest.raises(UserError, match="changed while it was read"):
        source.check_unchanged()


def read_whole(source: Source) -> Source:
    assert len(list(source.items)) == source.num_items
    return source
