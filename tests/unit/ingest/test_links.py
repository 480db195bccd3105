"""Links that tools make are followed, others are not, and none that comes later."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from thawline.ingest.files import file_filter
from thawline.ingest.items import Item, Reject
from thawline.ingest.packing.packing import Geometry, Packed, prepare
from thawline.ingest.sources import csv, folder
from thawline.prediction import decoding
from thawline.prediction.listing import Bad, listed
from thawline.runtime import links

Encode = Callable[..., bytes]
GEOMETRY = Geometry(image_size_px=8, fit="crop", background=(0, 0, 0))
HASH = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def project(tmp_path: Path, encode: Encode, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of DVC and git with a source of two classes."""
    for value, name in enumerate(("ant", "bee")):
        (tmp_path / "project" / "data" / name).mkdir(parents=True)
        for index in range(3):
            pixels = np.full((8, 8, 3), 20 * index + value, np.uint8)
            file = tmp_path / "project" / "data" / name / f"{index}.png"
            file.write_bytes(encode(pixels, "PNG"))
    (tmp_path / "project" / ".dvc").mkdir()
    (tmp_path / "project" / ".git").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", str(tmp_path / "none"))
    return tmp_path / "project"


def move_behind_link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(file, target)
    file.symlink_to(target)


def outcome(path: Path) -> dict[str, str | None]:
    found = [prepare(item, GEOMETRY) for item in folder.read(path).items]
    return {
        r.item_name if isinstance(r, Packed) else r.name: r.reason
        if isinstance(r, Reject)
        else None
        for r in found
    }


CACHES = {"": ".dvc/cache/files/md5", "[cache]\ndir = ../../shared\n": "../shared/files/md5",
          "['remote \"a\"']\nurl = x\n[cache]\n    dir = /TMP/old\n": "/TMP/old"}  # fmt: skip


@pytest.mark.parametrize("config", CACHES)
def test_links_that_dvc_makes_are_the_projects_own(project: Path, config: str) -> None:
    here = str(project.parent)
    (project / ".dvc" / "config").write_text(config.replace("/TMP", here))
    cache = (project / CACHES[config].replace("/TMP", here)).resolve()
    for number, file in enumerate(sorted((project / "data").rglob("*.png"))):
        move_behind_link(file, cache / f"0{number}" / HASH[2:])
    assert outcome(Path("data")) == dict.fromkeys(
        [f"{c}/{k}.png" for c in ("ant", "bee") for k in range(3)]
    )
    Path("data/set.csv").write_text("image,label\nant/0.png,ant\nbee/0.png,bee\n")
    found = [prepare(item, GEOMETRY) for item in csv.read(Path("data/set.csv")).items]
    assert all(isinstance(one, Packed) for one in found)
    assert not any(isinstance(one, Bad) for one in listed(["data"], io.BytesIO()))


def test_other_files_of_a_cache_are_outside(project: Path) -> None:
    move_behind_link(project / "data/ant/0.png", project / ".dvc/config.local")
    assert outcome(Path("data"))["ant/0.png"] == "link to outside of the source"


@pytest.mark.parametrize("kind", ["folder", "submodule", "work tree"])
def test_links_that_git_annex_makes_are_followed(project: Path, kind: str) -> None:
    store = project / ".git"
    if kind == "submodule":
        store.rmdir()
        store.write_text("gitdir: ../modules/data\n")
        store = project.parent / "modules" / "data"
    elif kind == "work tree":
        store.rmdir()
        store.write_text(f"gitdir: {project.parent}/main/.git/worktrees/a\n")
        (project.parent / "main/.git/worktrees/a").mkdir(parents=True)
        (project.parent / "main/.git/worktrees/a/commondir").write_text("../..\n")
        store = project.parent / "main" / ".git"
    key = "SHA256E-s70--00.png"
    move_behind_link(project / "data/ant/0.png", store / "annex/objects/aa/bb" / key / key)
    move_behind_link(project / "data/ant/1.png", store / "hooks/1.png")
    found = outcome(Path("data"))
    assert (found["ant/0.png"], found["ant/1.png"]) == (None, "link to outside of the source")


def test_links_of_the_cache_of_the_hub_are_followed(project: Path) -> None:
    hub = project.parent / "hub" / "datasets--a--b"
    shutil.copytree(project / "data", hub / "snapshots" / "c0ffee")
    move_behind_link(hub / "snapshots/c0ffee/ant/0.png", hub / "blobs" / (HASH * 2))
    move_behind_link(hub / "snapshots/c0ffee/ant/1.png", hub / "other" / (HASH * 2))
    found = outcome(hub / "snapshots" / "c0ffee")
    assert (found["ant/0.png"], found["ant/1.png"]) == (None, "link to outside of the source")


def test_a_link_to_nothing_says_what_brings_it(project: Path) -> None:
    for index, target in enumerate(
        (f"../../.dvc/cache/files/md5/01/{HASH[2:]}", "../.git/annex/objects/a/b/k/k", "../gone")
    ):
        (project / "data/ant" / f"{index}.png").unlink()
        (project / "data/ant" / f"{index}.png").symlink_to(target)
    found = outcome(Path("data"))
    assert [found[f"ant/{k}.png"] for k in range(3)] == [
        "a link to nothing; run `dvc pull` or `dvc checkout`",
        "a link to nothing; run `git annex get` or `datalad get`",
        "a link to nothing",
    ]


def test_a_class_folder_that_is_a_link_is_named(project: Path) -> None:
    shutil.move(project / "data/ant", project.parent / "elsewhere")
    (project / "data/ant").symlink_to(project.parent / "elsewhere")
    shutil.copytree(project / "data/bee", project / "data/cat")
    source = folder.read(Path("data"))
    assert source.classes == ("bee", "cat")
    assert outcome(Path("data"))["ant"] == "a link to a folder; not followed"


@pytest.mark.parametrize("where", ["file", "folder"])
@pytest.mark.parametrize("read", ["folder", "table", "predict"])
def test_a_link_that_comes_after_the_listing_leads_nowhere(
    project: Path, where: str, read: str
) -> None:
    secret = project.parent / "secret"
    shutil.copytree(project / "data/ant", secret)
    if read == "table":
        Path("data/set.csv").write_text("image,label\nant/0.png,ant\nbee/0.png,bee\n")
        items = list(csv.read(Path("data/set.csv")).items)
    elif read == "folder":
        items = list(folder.read(Path("data")).items)
    else:
        names = list(listed(["data"], io.BytesIO()))
    if where == "file":
        (project / "data/ant/0.png").unlink()
        (project / "data/ant/0.png").symlink_to(secret / "0.png")
    else:
        shutil.rmtree(project / "data/ant")
        (project / "data/ant").symlink_to(secret)
    if read == "predict":
        (batch,) = decoding.batches(names, GEOMETRY, 1)
        assert "data/ant/0.png" in [one.name for one in batch.bad]
        assert "data/bee/0.png" in batch.names
        return
    found = {item.name: prepare(item, GEOMETRY) for item in items if isinstance(item, Item)}
    assert isinstance(found["ant/0.png"], Reject)
    assert isinstance(found["bee/0.png"], Packed)


def test_opening_step_by_step_is_as_strict(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an open file's path is not told, or told in other letters."""
    monkeypatch.setattr(links.os, "readlink", lambda _: "elsewhere")
    file = project.resolve() / "data/ant/0.png"
    assert file_filter.read_regular(file, follow=False) == file.read_bytes()
    assert file_filter.read_regular(Path("data/ant/0.png"), follow=False) == file.read_bytes()
    monkeypatch.chdir("data/ant")
    assert file_filter.read_regular(Path("0.png"), follow=False) == file.read_bytes()
    (project / "data/cat").symlink_to(project / "data/ant")
    (project / "data/ant/l.png").symlink_to("0.png")
    for name in ("cat/0.png", "ant/l.png", "ant/gone.png"):
        with pytest.raises(OSError, match=r"No such|Not a dir|symbolic"):
            file_filter.read_regular(project.resolve() / "data" / name, follow=False)
