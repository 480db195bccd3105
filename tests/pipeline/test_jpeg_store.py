"""The whole pipeline on a store of JPEG: no stage sees the difference."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.project import STAGES, Project, make, ran

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = make(tmp_path_factory.mktemp("jpeg") / "a project")
    made.set(ingest__encoding="jpeg", rebalance__strategy="none", augment__minority=0.2)
    made.first = made.run("dvc", "repro")
    yield made
    made.end()


def _files(folder: Path) -> set[str]:
    return {file.name for file in folder.glob("*.npy")}


def test_every_stage_works_on_it(project: Project) -> None:
    assert project.first is not None
    assert ran(project.first) == list(STAGES)
    assert _files(project.folder / "data/ingest") == {"jpeg-00000.npy", "index-00000.npy"}
    assert _files(project.folder / "data/augment/minority") == {"jpeg-00000.npy", "index-00000.npy"}
    assert project.yaml("reports/augment/metrics.json")["extra_images"] > 0


def test_a_damaged_store_is_one_message(project: Project) -> None:
    file = project.folder / "data/ingest/jpeg-00000.npy"
    whole = file.read_bytes()
    file.unlink()  # it may be a link into DVC's cache
    file.write_bytes(whole[: len(whole) // 2])
    done = project.run("python", "-m", "stages.augment", code=2)
    (line,) = done.stderr.splitlines()
    assert line.startswith("augment: data/ingest/")
    project.run("dvc", "repro", "--force", "ingest")
    assert file.read_bytes() == whole
