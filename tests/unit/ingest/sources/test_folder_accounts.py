"""Every file of a folder is taken, set aside, or passed over by a rule that is named."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from thawline.errors import UserError
from thawline.ingest import accounting
from thawline.ingest.items import Item, Reject, Source
from thawline.ingest.packing.packing import Geometry, Packed, prepare
from thawline.ingest.sources import folder

Encode = Callable[..., bytes]
GEOMETRY = Geometry(image_size_px=8, fit="crop", background=(0, 0, 0))
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)


@pytest.fixture(scope="module")
def png(encode: Encode) -> bytes:
    return encode(np.full((8, 8, 3), 90, np.uint8), "PNG")


@pytest.fixture
def root(tmp_path: Path, png: bytes) -> Path:
    write(
        tmp_path / "data",
        dict.fromkeys((f"{c}/{k}.png" for c in ("ant", "bee") for k in range(3)), png),
    )
    return tmp_path / "data"


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def results(source: Source) -> tuple[list[str], dict[str, str]]:
    """Names of what was decoded, and the reasons against the others."""
    found = [prepare(item, GEOMETRY) for item in source.items]
    assert len(found) == source.num_items
    rejects = {r.name: r.reason for r in found if isinstance(r, Reject)}
    return [r.item_name for r in found if isinstance(r, Packed)], rejects


def num_files(root: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(root))


def test_an_image_is_known_by_its_bytes(root: Path, encode: Encode, png: bytes) -> None:
    jpeg = encode(np.full((8, 8, 3), 9, np.uint8), "JPEG")
    named = {"ant/a.jfif": jpeg, "bee/bare": png, "bee/x.txt": png, "ant/a.jpg.bak": jpeg}
    named |= {"cow/only.jfif": jpeg, "cow/a.avif": encode(np.zeros((9, 9, 3), np.uint8), "AVIF")}
    write(root, named)
    source = folder.read(root)
    assert source.classes == ("ant", "bee", "cow")
    taken, rejects = results(source)
    assert set(named) <= set(taken)
    assert rejects == {}


def test_an_image_that_is_not_read_is_set_aside(root: Path) -> None:
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    write(root, {"ant/a.heic": HEIC, "ant/b.jpg": HEIC, "ant/bare": HEIC, "ant/c.jpg": lfs,
                 "bee/d.png": b"<!DOCTYPE html>", "bee/e.psd": b"?",
                 "bee/f.nef": b"II*\0" + bytes(60)})  # fmt: skip
    _, rejects = results(folder.read(root))
    assert rejects == {
        **dict.fromkeys(("ant/a.heic", "ant/b.jpg", "ant/bare"), "a HEIC file, which is not read"),
        "ant/c.jpg": "a Git LFS pointer; run `git lfs pull`",
        "bee/d.png": "a web page, not an image",
        "bee/e.psd": "a Photoshop file, which is not read (by its name)",
        "bee/f.nef": "a camera raw file (.nef), which is not read",
    }


def test_what_is_passed_over_is_counted_by_its_rule(root: Path, png: bytes) -> None:
    write(root, {"ant/@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg": png, "@eaDir/x.jpg": png,
                 "#recycle/ant/old.png": png, "lost+found/1": png, "$RECYCLE.BIN/$R1.png": png,
                 "ant/.thumbnails/0.png": png, "ant/.b.png": png, ".git/a/b": b"",
                 "bee/0.txt": b"cat", "bee/1.txt": b"BM is no bitmap", "bee/README": b"",
                 "notes.md": b"#", "bee/0.THM": png, "bee/Thumbs.db": b"\xd0\xcf"})  # fmt: skip
    source = folder.read(root)
    assert source.classes == ("ant", "bee")
    assert source.passed_over == {
        "left by a system or a NAS": 6, "hidden": 3, "no image, .txt": 2, "no image, .md": 1,
        "no image, without a suffix": 1, "thumbnail of a camera": 1,
    }  # fmt: skip
    taken, rejects = results(source)
    assert (len(taken), rejects) == (6, {})
    assert num_files(root) == 6 + sum(source.passed_over.values())


def test_an_image_beside_the_class_folders_is_set_aside(root: Path, png: bytes) -> None:
    write(root, {"cover.png": png})
    _, rejects = results(folder.read(root))
    assert rejects == {"cover.png": "beside the class folders, so without a class"}


def test_links_and_pipes_of_other_names_are_counted(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (root / "ant" / "readme.txt").symlink_to(tmp_path / "secret.txt")
    (root / "ant" / "gone.txt").symlink_to("nowhere")
    os.mkfifo(root / "ant" / "pipe")
    source = folder.read(root)
    assert source.passed_over == {"link to outside, of no image's name": 1, "not a regular file": 1}
    assert results(source)[1] == {"ant/gone.txt": "a link to nothing"}


@pytest.fixture
def divided(tmp_path: Path, png: bytes) -> Path:
    names = [
        f"{split}/{c}/{k}.png" for split in ("train", "val") for c in ("ant", "bee") for k in "01"
    ]
    write(tmp_path / "divided", dict.fromkeys(names, png))
    return tmp_path / "divided"


def test_a_split_without_class_folders_is_told(divided: Path, png: bytes) -> None:
    write(divided, dict.fromkeys((f"test/{k}.png" for k in range(30)), png))
    source = folder.read(divided)
    assert source.remarks == (
        "30 images lie beside class folders in 'test', have no class and are passed over; "
        "the test rows are drawn from train; to use them, lay them into class folders there",
    )
    assert source.passed_over == {"an image without a class folder": 30}
    assert source.num_items == 8


def test_images_beside_the_class_folders_of_a_split_are_set_aside(
    divided: Path, png: bytes
) -> None:
    write(divided, {"val/loose.png": png})
    assert results(folder.read(divided))[1] == {
        "val/loose.png": "beside the class folders, so without a class"
    }


def test_a_split_that_is_empty_is_told(divided: Path) -> None:
    for file in (divided / "val").rglob("*.png"):
        file.unlink()
    source = folder.read(divided)
    assert source.remarks == ("the folder 'val' holds no image; the val rows are drawn from train",)


def test_the_name_of_a_split_may_stand_twice(divided: Path) -> None:
    (divided / "training_set").mkdir()
    (divided / "train").rename(divided / "training_set" / "training_set")
    source = folder.read(divided)
    assert source.classes == ("ant", "bee")
    assert {i.split for i in source.items if isinstance(i, Item)} == {"train", "val"}


SPELLINGS = [("training_set", "test_set"), ("seg_train", "seg_test"), ("train", "holdout"),
             ("Train", "hold-out"), ("train2017", "val2017"), ("TrainData", "TestData"),
             ("cars_train", "cars_test"), ("training images", "valid"),
             ("train", "eval")]  # fmt: skip


@pytest.mark.parametrize(("train", "other"), SPELLINGS)
def test_spellings_of_splits(tmp_path: Path, png: bytes, train: str, other: str) -> None:
    write(tmp_path, dict.fromkeys((f"{s}/{c}/0.png" for s in (train, other) for c in "ab"), png))
    source = folder.read(tmp_path)
    assert source.classes == ("a", "b")
    assert source.remarks == ()
    assert {i.name.split("/")[0]: i.split for i in source.items if isinstance(i, Item)}[
        train
    ] == "train"


def test_folders_that_hold_the_same_folders_are_no_classes_in_silence(
    tmp_path: Path, png: bytes
) -> None:
    names = [f"{top}/{c}/0.png" for top in ("one", "two") for c in ("ant", "bee", "cat")]
    write(tmp_path, dict.fromkeys(names[:-1], png))
    assert folder.read(tmp_path).remarks == (
        "folders 'one', 'two' are taken for classes, and hold the same folders 'ant', 'bee': if "
        "they are splits, call them train, val and test",
    )


def test_what_lies_beside_the_splits_without_classes_is_passed_over(
    divided: Path, png: bytes
) -> None:
    """Images to predict (in a folder twice, as archives come), and annotations."""
    names = [f"seg_pred/seg_pred/{k}.png" for k in range(3)]
    write(divided, {**dict.fromkeys(names, png), "annotations/all.json": b"{}"})
    source = folder.read(divided)
    assert source.classes == ("ant", "bee")
    assert "3 images lie in 'seg_pred', which is no split and has no class folders, and are " in (
        " ".join(source.remarks)
    )
    assert source.passed_over == {"an image without a class folder": 3, "no image, .json": 1}
    taken, rejects = results(source)
    assert rejects == {}
    assert not any(name.startswith("seg_pred") for name in taken)
    write(divided, {"more/ant/0.png": png})
    with pytest.raises(UserError, match="beside 'more'"):
        folder.read(divided)


def test_splits_below_the_classes_are_told(tmp_path: Path, png: bytes) -> None:
    names = [f"{c}/{split}/0.png" for c in ("ant", "bee") for split in ("train", "test")]
    write(tmp_path, dict.fromkeys(names, png))
    (said,) = folder.read(tmp_path).remarks
    assert (
        "class folders 'ant', 'bee' hold folders of splits 'test', 'train', which are not" in said
    )


def test_splits_without_any_class_folder_say_so(tmp_path: Path, png: bytes) -> None:
    write(tmp_path, dict.fromkeys(("train/0.png", "train/1.png", "test1/0.png"), png))
    with pytest.raises(UserError, match=r"; 1 image lies beside class folders in 'test1'"):
        folder.read(tmp_path)


def test_an_empty_folder_does_not_hide_which_one_is_meant(tmp_path: Path, png: bytes) -> None:
    names = [f"images/{split}/0.png" for split in ("train", "val")]
    write(tmp_path, {**dict.fromkeys(names, png), "labels/train/0.txt": b"0 1 1 1 1"})
    with pytest.raises(UserError, match=r"it holds 2 folder\(s\): is 'images' meant\?"):
        folder.read(tmp_path)


def test_a_lone_folder_is_asked_about(tmp_path: Path, png: bytes) -> None:
    write(tmp_path, dict.fromkeys(("set/ant/0.png", "set/bee/0.png"), png))
    with pytest.raises(UserError, match=r"it holds 2 folder\(s\): is 'set' meant\?"):
        folder.read(tmp_path)


def test_images_without_any_folder_are_counted(tmp_path: Path, png: bytes) -> None:
    write(tmp_path, dict.fromkeys(("0.png", "1.png"), png))
    with pytest.raises(UserError, match=r"2 image\(s\) lie in it directly"):
        folder.read(tmp_path)


def test_a_format_keeps_the_number_of_its_name() -> None:
    reasons = ["a JPEG 2000 file, which is not read", "row 7: 12 bytes are missing"]
    kinds = accounting.by_kind(reasons)
    assert set(kinds) == {"a JPEG 2000 file, which is not read", "N bytes are missing"}


def test_an_account_adds_up_in_three_lines() -> None:
    account = accounting.Account(
        images=60, copies=2, set_aside={"empty file": 1, "damaged": 3},
        passed_over={"hidden": 1200, "no image, .txt": 20, "no image, .md": 1},
    )  # fmt: skip
    assert account.lines() == [
        "1,287 files: 60 images + 2 copies + 4 set aside + 1,221 passed over",
        "set aside: 3 x damaged; 1 x empty file",
        "passed over: 1,200 x hidden; 20 x no image, .txt; 1 x no image, .md",
    ]
    assert account.metrics() == {
        "files_seen": 1287, "passed_over_hidden": 1200, "passed_over_no_image": 21,
    }  # fmt: skip
    assert account.reasons()["passed_over"]["no image, .txt"] == 20


def test_an_account_where_everything_was_taken_is_one_line() -> None:
    files = accounting.Account(images=60, copies=2, set_aside={}, passed_over={})
    assert files.lines() == ["62 files: 60 images + 2 copies"]
    rows = accounting.Account(images=1797, copies=0, set_aside={}, passed_over={}, noun="rows")
    assert rows.lines() == ["1,797 rows: 1,797 images"]


def test_many_reasons_are_one_line() -> None:
    said = accounting.numbers({f"no image, .{k}": 1 for k in range(50)})
    assert said.endswith("; 44 x other reasons")
    assert len(said) < 250
