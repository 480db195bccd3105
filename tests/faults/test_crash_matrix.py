"""`kill -9` at seeded moments; the whole matrix is `python -m tests.faults.crash_matrix`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crash_matrix import durations, kill, points
from tests.pipeline.project import STAGES, Project


@pytest.fixture
def copy(built: Project, tmp_path: Path) -> Iterator[Project]:
    project = built.copy(tmp_path / "a copy")
    yield project
    project.end()


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_is_made_again(copy: Project, stage: str) -> None:
    (share,) = points(stage, 1, seed=0)
    found = kill(copy, stage, share, durations(copy)[stage])
    assert found.problem == ""


def test_points_are_seeded_and_spread() -> None:
    found = points("ingest", 5, seed=0)
    assert found == points("ingest", 5, seed=0)
    assert found != points("ingest", 5, seed=1)
    assert [int(share * 5) for share in found] == [0, 1, 2, 3, 4]
