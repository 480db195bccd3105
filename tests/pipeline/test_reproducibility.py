"""Every stage, once; the same hashes wherever and however they run."""

from collections.abc import Iterator

import pytest

from tests.pipeline.project import MEASURED, STAGES, Project, ran, restored

pytestmark = [pytest.mark.slow, pytest.mark.ci]


def test_dvc_repro_runs_every_stage(built: Project) -> None:
    assert built.first is not None
    assert ran(built.first) == list(STAGES)
    (parent,) = built.runs("pipeline")
    children = {run.info.run_name: run for run in built.runs("stage")}
    assert sorted(children) == sorted(STAGES)
    assert {run.info.status for run in (parent, *children.values())} == {"FINISHED"}
    assert {parent.data.tags[f"stage.{name}"] for name in STAGES} == {"ran"}
    assert parent.data.metrics["compress.macro_f1"] == built.metric("compress", "macro_f1")
    assert parent.data.params["fine_tune.epochs"] == "1"


def test_dvc_repro_again_does_nothing(built: Project) -> None:
    before = built.files()
    again = built.run("dvc", "repro")
    assert ran(again) == restored(again) == []
    assert built.files() == before
    assert len(built.runs("pipeline")) == 1


@pytest.fixture(scope="module")
def clone(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh clone elsewhere, without the cache, run in every way that must not matter."""
    folder = tmp_path_factory.mktemp("clones") / "ein Projekt's #2 é 🙂"
    built.run("git", "clone", "--quiet", str(built.folder), str(folder))
    project = Project(folder)
    project.set(training__workers=2)
    elsewhere = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "C"}
    switched = {"THAWLINE_TRACKING": "off", "THAWLINE_FORKSERVER": "off"}
    project.first = project.run("dvc", "repro", env=elsewhere | switched, umask=0o077)
    yield project
    project.end()


def test_a_fresh_clone_gives_the_same_hashes(built: Project, clone: Project) -> None:
    """In another folder, with two workers, without tracking and forks, another umask, time zone and
    locale."""
    assert clone.first is not None
    assert ran(clone.first) == list(STAGES)
    assert clone.hashes() == built.hashes()
    assert {"models/fine_tune", "models/compress", "reports/evaluate/figures"} <= {*clone.hashes()}


def test_a_run_changes_no_tracked_file_but_measurements(clone: Project) -> None:
    changed = clone.run("git", "status", "--porcelain").stdout.splitlines()
    assert {line[3:] for line in changed} <= {"params.yaml", "dvc.lock", *MEASURED}


def test_switched_off_tracking_leaves_no_trace(clone: Project) -> None:
    assert not (clone.folder / "mlflow.db").exists()
    assert not (clone.folder / "mlartifacts").exists()
