"""A project on a file system that is full or read-only: a real one, in a namespace of its own."""

from collections.abc import Iterator

import pytest

from tests.faults.mounts import OFF, may_mount, mounted
from tests.pipeline.project import Project, make, told

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ci,
    pytest.mark.skipif(not may_mount(), reason="mounting takes rights that are not here"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = make(tmp_path_factory.mktemp("mounts") / "a project")
    (made.folder / ".thawline").mkdir()
    yield made
    made.end()


@pytest.mark.parametrize("command", ["thawline run", "python -m stages.ingest"])
def test_a_read_only_project_is_refused_before_work(project: Project, command: str) -> None:
    before = project.files()
    read_only = 'mount --bind "$PWD" "$PWD" && mount -o remount,bind,ro "$PWD"'
    done = mounted(project, f"{read_only}\nagain\n{command}", code=2, env=OFF)
    (line,) = told(done)
    assert "Read-only file system" in line
    assert ".thawline" in line
    assert project.files() == before


def test_a_full_disk_leaves_no_half_output_and_room_mends_it(project: Project) -> None:
    before = project.files()
    full = "mount -t tmpfs -o size=200k none .thawline"
    done = mounted(project, f"{full}\npython -m stages.ingest", code=2, env=OFF)
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("ingest: ")
    assert "No space left on device; make room and run it again" in lines[-1]
    assert project.files() == before
    project.run("python", "-m", "stages.ingest", env=OFF)
    assert (project.folder / "data/ingest/manifest.parquet").exists()


def test_without_a_home_folder_stages_work(project: Project) -> None:
    home = {"HOME": "/nonexistent", "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""}
    project.run("python", "-m", "stages.ingest", env=OFF | home)
    project.run("python", "-m", "stages.rebalance", env=OFF | home)
