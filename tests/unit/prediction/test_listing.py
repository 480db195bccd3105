"""Which files `thawline predict` takes."""

import io
import os
from pathlib import Path

import pytest

from thawline.prediction.listing import Bad, listed

NOTHING = io.BytesIO()


def test_a_folder_gives_its_images_sorted_at_any_depth(tmp_path: Path) -> None:
    for name in ("b.png", "a/z.JPG", "a/.hidden.png", ".git/x.png", "notes.txt", "__MACOSX/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = list(listed([str(tmp_path)], NOTHING))
    assert found == [str(tmp_path / "b.png"), str(tmp_path / "a/z.JPG")]


def test_a_file_that_is_named_needs_no_suffix_and_need_not_be_there() -> None:
    assert list(listed(["photo", "-x.png"], NOTHING)) == ["photo", "-x.png"]


@pytest.mark.parametrize("separator", [b"\n", b"\0"])
def test_standard_input_names_files_and_folders(tmp_path: Path, separator: bytes) -> None:
    (tmp_path / "inside.png").write_bytes(b"")
    names = [b"a b.png", os.fsencode(tmp_path), b"\xff.png", b"x" * 100_000]
    text = separator.join(names)
    expected = ["a b.png", str(tmp_path / "inside.png"), "\udcff.png", "x" * 100_000]
    assert list(listed(["first", "-"], io.BytesIO(text))) == ["first", *expected]
    assert list(listed(["-"], io.BytesIO(text + separator))) == expected


def test_a_name_with_a_newline_comes_through_ended_by_nul() -> None:
    assert list(listed(["-"], io.BytesIO(b"a\nb.png\0c.png\0"))) == ["a\nb.png", "c.png"]


def test_links_lead_nowhere_outside_and_nothing_hangs(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside.png", tmp_path / "folder"
    outside.write_bytes(b"")
    folder.mkdir()
    (folder / "link.png").symlink_to(outside)
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "down").symlink_to(tmp_path)
    found = list(listed([str(folder)], NOTHING))
    assert all(isinstance(one, Bad) for one in found)
    assert len(found) == 4
    assert list(listed([str(folder / "link.png")], NOTHING)) == [str(folder / "link.png")]


def test_a_folder_without_images_is_reported(tmp_path: Path) -> None:
    (found,) = listed([str(tmp_path)], NOTHING)
    assert isinstance(found, Bad)
    assert "no image in this folder" in found.reason
