"""Projects to run: one that ran once, and copies of it to change and to break."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.project import Project, make


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project after its first `dvc repro`, committed. For reading; change a copy."""
    # A space, but plain ASCII: `dvc exp run --temp` fails on other characters (dvc 3.67).
    project = make(tmp_path_factory.mktemp("built") / "a project")
    project.first = project.run("dvc", "repro")
    project.commit("Results")
    yield project
    project.end()


@pytest.fixture(scope="module")
def copied(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy of the built project that the tests of one module share, in order."""
    project = built.copy(tmp_path_factory.mktemp("copied") / "a copy")
    yield project
    project.end()


@pytest.fixture
def copy(built: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy of the built project for one test."""
    project = built.copy(tmp_path / "a copy")
    yield project
    project.end()
