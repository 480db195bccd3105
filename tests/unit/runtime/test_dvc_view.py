"""What DVC cannot read of a source, and what it does not see: compared with DVC itself."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from thawline.errors import UserError
from thawline.params import params_file
from thawline.runtime import dvc_view


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes in a DVC project, as a path relative to it."""
    for name in ("ant", "bee"):
        (tmp_path / "project/data" / name).mkdir(parents=True)
        for index in range(2):
            (tmp_path / "project/data" / name / f"{index}.png").write_bytes(b"x")
    (tmp_path / "project/.dvc").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return Path("data")


def gone(source: Path) -> None:
    (source / "ant/gone.png").symlink_to("nothing")


def gone_folder(source: Path) -> None:
    (source / "cat").symlink_to("nothing")


def loop(source: Path) -> None:
    (source / "ant/loop.png").symlink_to("loop.png")


def pipe(source: Path) -> None:
    os.mkfifo(source / "ant/pipe")


def hidden(source: Path) -> None:
    (source / "ant/.gone").symlink_to("nothing")


def ignore(source: Path) -> None:
    (source / "bee/.dvcignore").write_text("*.txt\n")


BREAKS = {gone: ("ant/gone.png", "a link to nothing"), gone_folder: ("cat", "a link to nothing"),
          loop: ("ant/loop.png", "cannot be read: link loop"),
          hidden: ("ant/.gone", "a link to nothing"), pipe: ("ant/pipe", "not a regular file"),
          ignore: ("bee/.dvcignore", "DVC allows none in a folder that it hashes")}  # fmt: skip


@pytest.mark.parametrize("break_it", BREAKS, ids=lambda break_it: break_it.__name__)
def test_what_dvc_cannot_read_is_found(source: Path, break_it: Callable[[Path], None]) -> None:
    assert dvc_view.broken(source) == []
    break_it(source)
    assert dvc_view.broken(source) == [BREAKS[break_it]]


def test_what_dvc_leaves_out_does_no_harm(source: Path) -> None:
    gone(source)
    (source / ".git").mkdir()
    (source / ".git/gone").symlink_to("nothing")
    assert len(dvc_view.broken(source)) == 1
    Path(".dvcignore").write_text("# links\ngone.*\n")
    assert dvc_view.broken(source) == []
    Path(".dvcignore").write_text("gone.*\n!gone.png\n")
    assert len(dvc_view.broken(source)) == 1
    Path(".dvcignore").write_text("ant/\n")
    assert dvc_view.broken(source) == []


def test_links_to_files_and_folders_are_no_fault(source: Path) -> None:
    (source / "ant/link.png").symlink_to("0.png")
    (source / "cat").symlink_to("ant")
    assert dvc_view.broken(source) == []
    assert dvc_view.broken(source / "ant/link.png") == []


def test_a_file_that_may_not_be_read_is_found(source: Path, tmp_path: Path) -> None:
    for folder in (source, tmp_path, *tmp_path.parents[:4]):
        folder.chmod(folder.stat().st_mode | 0o055)
    (source / "ant/0.png").chmod(0)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        found = dvc_view.broken(source)
    finally:
        os.seteuid(before)
    assert found == [("ant/0.png", "cannot be read: Permission denied")]


def test_parts_that_dvc_does_not_see_are_said(source: Path, tmp_path: Path) -> None:
    assert dvc_view.unseen(source) == []
    (tmp_path / "elsewhere").mkdir()
    (source / "cat").symlink_to(tmp_path / "elsewhere")
    (source / "dog/.dvc").mkdir(parents=True)
    (source / "dog/0.png").write_bytes(b"x")
    Path(".dvcignore").write_text("__pycache__/\n*1.png\n")
    parts = ["links to folders in 'data' (1, first 'cat')",
             "DVC projects of their own in 'data' (1, first 'dog')",
             "what .dvcignore names in 'data' (2, first 'ant/1.png')"]  # fmt: skip
    assert dvc_view.unseen(source) == [
        f"DVC does not see {part}: a change there reruns nothing" for part in parts
    ]


def test_outside_of_a_dvc_project_nothing_is_ignored(source: Path, tmp_path: Path) -> None:
    (tmp_path / "other/a").mkdir(parents=True)
    (tmp_path / "other/a/1.png").write_bytes(b"x")
    (tmp_path / "other/.dvcignore").write_text("*.png\n")
    assert dvc_view.unseen(tmp_path / "other") == []


@pytest.mark.slow
def test_dvc_sees_what_is_said(source: Path, tmp_path: Path) -> None:
    """The files that DVC hashes are those that this module takes for seen."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/9.png").write_bytes(b"9")
    (source / "cat").symlink_to(tmp_path / "elsewhere")
    (source / "dog/.dvc").mkdir(parents=True)
    (source / "dog/0.png").write_bytes(b"x")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "GIT_"))}
    env |= {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}

    def dvc(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dvc", *words]
        return subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=60, check=False
        )

    Path(".dvc").rmdir()
    assert dvc("init", "--no-scm", "--quiet").returncode == 0
    Path(".dvcignore").write_text("data/ant/0.*\n")
    assert dvc("add", "--no-commit", str(source)).returncode == 0
    assert "nfiles: 3" in Path("data.dvc").read_text()
    assert [line.split("(")[1] for line in dvc_view.unseen(source)] == [
        "1, first 'cat'): a change there reruns nothing",
        "1, first 'dog'): a change there reruns nothing",
        "1, first 'ant/0.png'): a change there reruns nothing",
    ]
    for break_it, word in ((gone, "gone.png"), (ignore, ".dvcignore")):
        other = Path(f"other {word}")
        for name in ("ant", "bee"):
            (other / name).mkdir(parents=True)
        break_it(other)
        done = dvc("add", "--no-commit", str(other))
        assert done.returncode != 0
        assert word in done.stderr
        assert len(dvc_view.broken(other)) == 1


def unreadable(source: Path) -> None:
    for folder in (source.absolute(), *source.absolute().parents[:5]):
        folder.chmod(folder.stat().st_mode | 0o055)
    (source / "ant/0.png").chmod(0)


SAID = {gone: "a link to nothing", loop: "a link that leads back to itself",
        ignore: "a `.dvcignore` below the source",
        unreadable: "a file that you may not read"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("break_it", SAID, ids=lambda break_it: break_it.__name__)
def test_the_words_of_bare_dvc_are_those_of_the_docs(
    source: Path, tmp_path: Path, repository: Path, break_it: Callable[[Path], None]
) -> None:
    text = (repository / "docs/operations.md").read_text(encoding="utf-8")
    (said,) = re.findall(rf"\n\| `([^|]*)`[^|`]* \| {re.escape(SAID[break_it])} \|\n", text)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "GIT_"))}
    env |= {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    Path(".dvc").rmdir()
    Path("dvc.yaml").write_text("stages:\n  ingest:\n    cmd: echo ran\n    deps: [data]\n")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "--quiet"], env=env, check=True, timeout=60)
    break_it(source)
    if break_it is unreadable and os.geteuid() == 0:
        pytest.skip("root may read everything")
    done = subprocess.run(
        [*dvc, "repro"], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert f"failed to reproduce 'ingest': {said}" in done.stderr
    assert "ran" not in done.stdout


def test_params_name_it_before_dvc_starts(
    source: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = params_file.load(repository / "params.yaml")
    for name in ("none", "label_fixes.csv", "holdout.csv"):
        Path("data", name).write_text("")
    named = {"ingest.path": str(source), "augment.file": "data/none"}
    monkeypatch.setattr(params_file, "named_inputs", lambda _: named)
    params_file.check_inputs(loaded)
    gone(source)
    with pytest.raises(UserError, match=r"ingest\.path: DVC, .* 1 of .*'ant/gone\.png': a link to"):
        params_file.check_inputs(loaded)
    named["ingest.path"] = "~/leaves"
    with pytest.raises(UserError, match=r"'~/leaves' does not exist; ~ is not expanded here"):
        params_file.check_inputs(loaded)
