"""Faults at seeded moments; the whole matrix is `python -m tests.faults.crash_matrix`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import adding, editing, killing
from tests.faults.judging import Known, durations, points
from tests.pipeline.project import CHAIN, Project


@pytest.fixture
def copy(built: Project, tmp_path: Path) -> Iterator[Project]:
    project = built.copy(tmp_path / "a copy")
    yield project
    project.end()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = adding.project(tmp_path_factory.mktemp("images") / "a project", 2100)
    yield project
    project.end()


@pytest.fixture
def of_images(images: Project, tmp_path: Path) -> Iterator[Project]:
    project = images.copy(tmp_path / "a copy")
    yield project
    project.end()


@pytest.mark.slow
@pytest.mark.parametrize("stage", CHAIN)
def test_a_killed_stage_is_made_again(copy: Project, built: Project, stage: str) -> None:
    (share,) = points(stage, 1, seed=0)
    found = killing.stage(copy, stage, share, durations(copy)[stage], Known(built))
    assert found.problem == ""


@pytest.mark.slow
def test_a_killed_worker_ends_ingest_and_prediction(of_images: Project, images: Project) -> None:
    (share,) = points("ingest", 1, seed=0)
    seconds = killing.decoding_s(of_images)
    found = killing.worker(of_images, share, seconds, Known(images))
    assert (found.reached, found.problem) == ("killed", "")
    found = killing.predicting(of_images, share, of_images.folder / adding.RAW)
    assert (found.reached, found.problem) == ("killed", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "moment"),
    [("repro", "under way"), ("run", "under way"), ("run", "at its end")],
)
def test_params_edited_while_a_stage_runs(
    copy: Project, built: Project, tmp_path: Path, command: str, moment: str
) -> None:
    stage, known = "compress", Known(built)
    (share,) = points(stage, 1, seed=0)
    found = editing.edit(
        copy, stage, share if moment == "under way" else editing.AT_ITS_END,
        durations(copy)[stage], edited=stage, command=command, early=False, known=known,
        references=editing.References(built, tmp_path, known),
    )  # fmt: skip
    assert found.problem == ""


@pytest.mark.slow
@pytest.mark.parametrize("fault", adding.CHANGES)
def test_a_folder_changed_while_it_is_read(
    of_images: Project, images: Project, tmp_path: Path, fault: str
) -> None:
    (share,) = points("ingest", 1, seed=0)
    known = Known(images)
    seconds = durations(images)["ingest"]
    references = adding.References(images, tmp_path, known)
    found = adding.change(of_images, fault, share, seconds, known, references)
    assert found.problem == ""


def test_points_are_seeded_and_spread() -> None:
    found = points("ingest", 5, seed=0)
    assert found == points("ingest", 5, seed=0)
    assert found != points("ingest", 5, seed=1)
    assert [int(share * 5) for share in found] == [0, 1, 2, 3, 4]
