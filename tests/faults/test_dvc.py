"""DVC's cache and locks in trouble, outputs that somebody touched, a folder that moved."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.mounts import may_mount, mounted
from tests.pipeline.project import Project, ran, restored, wait_for

pytestmark = pytest.mark.slow
ROWS = "data/rebalance/rows.parquet"
OFF = {"THAWLINE_TRACKING": "off"}


def cached(project: Project, path: str) -> Path:
    md5 = project.hashes()[path]
    return project.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def damage(file: Path) -> None:
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    file.chmod(0o444)  # as DVC leaves its files


@pytest.fixture
def project(copied: Project) -> Iterator[Project]:
    """One that is as it was built, before and after."""
    before = copied.hashes()
    yield copied
    copied.end()
    assert ran(copied.run("dvc", "repro", env=OFF)) == []
    assert copied.hashes() == before


@pytest.mark.ci
@pytest.mark.parametrize("how", ["deleted", "edited", "truncated"])
def test_an_output_that_somebody_touched_is_made_again(project: Project, how: str) -> None:
    file = project.folder / ROWS
    content = file.read_bytes()
    file.unlink()
    if how != "deleted":
        file.write_bytes(content[:-9] if how == "truncated" else content + b"mine")
    again = project.run("dvc", "repro", env=OFF)
    # It was in DVC's cache.
    assert ran(again) == []
    assert file.read_bytes() == content


@pytest.mark.ci
def test_a_damaged_file_in_dvcs_cache_is_noticed_and_made_again(project: Project) -> None:
    file, stored = project.folder / ROWS, cached(project, ROWS)
    content = file.read_bytes()
    damage(stored)
    file.unlink()
    project.set_params({"augment.views": 2})
    done = project.run("thawline", "run", "augment", env=OFF, code=2)
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"augment: {ROWS}: not what dvc.lock records; 1 damaged file(s) removed")
    assert f"`rm -r '{ROWS}'`, then `dvc repro` or `dvc pull`" in line
    assert not stored.exists()
    file.unlink()
    project.set_params({"augment.views": 1})
    assert ran(project.run("dvc", "repro", "--no-run-cache", env=OFF)) == ["rebalance"]
    assert file.read_bytes() == stored.read_bytes() == content


def test_two_dvc_repro_at_once(project: Project) -> None:
    words = ("dvc", "repro", "--force", "--single-item", "rebalance")
    first = project.start(*words, env=OFF)
    wait_for(lambda: "Running stage" in project.output_file.read_text(), 60, "for the stage")
    first.send_signal(signal.SIGSTOP)  # it holds its lock for as long as it takes
    try:
        second = project.run(*words, env=OFF, code=255)
    finally:
        first.send_signal(signal.SIGCONT)
    assert "is busy, it is being blocked by" in second.stderr
    assert f"PID {first.pid}" in second.stderr
    assert first.wait(timeout=100) == 0


def test_a_lock_of_a_dead_dvc_is_taken_over(project: Project) -> None:
    words = ("dvc", "repro", "--force", "--single-item", "rebalance")
    first = project.start(*words, env=OFF)
    wait_for(lambda: "Running stage" in project.output_file.read_text(), 60, "for the stage")
    first.kill()
    first.wait()
    assert "rebalance" in (project.folder / ".dvc/tmp/rwlock").read_text()
    wait_for(lambda: not project.left_over(), 20, "for the stage to end")
    assert ran(project.run(*words, env=OFF)) == ["rebalance"]


READ_ONLY = "mount --bind .dvc/cache .dvc/cache; mount -o remount,bind,ro .dvc/cache"


@pytest.mark.skipif(not may_mount(), reason="mounting takes rights that are not here")
@pytest.mark.parametrize(
    ("mount", "code", "said"),
    [
        ("fill .dvc/cache", 1, "No space left on device"),
        (READ_ONLY, 2, "augment: .dvc/cache: DVC's cache cannot be written; mount it"),
    ],
)
def test_a_cache_that_takes_nothing(project: Project, mount: str, code: int, said: str) -> None:
    project.set_params({"augment.views": 2})
    try:
        done = mounted(project, f"{mount}\nthawline run augment", env=OFF, code=code)
        assert said in done.stderr
        if code == 2:  # before the work: where there was none, DVC had deleted nothing for good
            assert done.stderr.splitlines()[-1].startswith(said)
            assert (project.folder / "data/augment/policy.json").exists()
    finally:
        project.set_params({"augment.views": 1})
    assert restored(project.run("dvc", "repro", env=OFF)) in ([], ["augment"])


def test_a_project_that_was_moved_goes_on(copy: Project, tmp_path: Path) -> None:
    moved = Project(tmp_path / "umbenannt 'é' 🙂")
    copy.folder.rename(moved.folder)
    before = moved.hashes()
    assert ran(moved.run("dvc", "repro")) == []
    moved.set(evaluate__calibration_bins=5)
    moved.run("thawline", "run", "evaluate")
    assert not copy.folder.exists()
    first, last = moved.runs("pipeline")
    for run in (first, last):
        place = moved.client.download_artifacts(run.info.run_id, "report", str(tmp_path))
        assert (Path(place) / "report.html").is_file()
    assert moved.hashes()["models/compress"] == before["models/compress"]
