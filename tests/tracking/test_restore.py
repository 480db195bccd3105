"""From a registered version back to what made it, in a fresh clone with a DVC remote."""

from pathlib import Path

import pytest

from tests.tracking.conftest import Project

pytestmark = pytest.mark.slow


def thawline(project: Project, uri: str, *words: str, check: bool = True) -> str:
    code = (
        f"import sys; sys.argv = ['thawline', *{words!r}]; from thawline.cli import app; app.main()"
    )
    done = project.python(code, check=check, env={"MLFLOW_TRACKING_URI": uri})
    return done.stdout + done.stderr


@pytest.fixture
def published(project: Project, tmp_path: Path) -> Project:
    """A registered version, its outputs in a remote; another result was committed since."""
    project.make_network(tmp_path / "remote")
    project.set("ingest.val_ratio", "0.25")  # not committed when it runs
    project.thawline_run()
    project.set("ingest.val_ratio", "0.28")  # for the next run
    thawline(project, project.uri, "publish")
    project.run("dvc", "push", "-q")
    project.set("ingest.val_ratio", "0.3")
    project.run("dvc", "repro", "-q", env={"THAWLINE_TRACKING": "off"})
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "another ratio")
    return project


def test_a_fresh_clone_gets_commit_params_and_outputs(published: Project, tmp_path: Path) -> None:
    clone = Project(tmp_path / "clone")
    published.run("git", "clone", "-q", str(published.folder), str(clone.folder))
    said = thawline(clone, published.uri, "restore", "1")
    assert "version 1: commit" in said
    assert "git checkout --force main && dvc checkout" in said
    assert (clone.folder / "models/compress/note").read_text() == "0.25"
    assert "  val_ratio: 0.25\n" in (clone.folder / "params.yaml").read_text()
    assert clone.run("dvc", "status", "-q", check=False).returncode == 0
    clone.run("git", "checkout", "-q", "--force", "main")
    with (clone.folder / "params.yaml").open("a") as file:
        file.write("# an edit\n")
    refused = thawline(clone, published.uri, "restore", "1", check=False)
    assert "not committed: params.yaml" in refused
    assert (clone.folder / "params.yaml").read_text().endswith("# an edit\n")
    assert clone.run("git", "branch", "--show-current").stdout.strip() == "main"


def test_an_edit_after_the_run_is_not_what_the_model_was_made_of(
    project: Project, tmp_path: Path
) -> None:
    project.make_network(tmp_path / "remote")
    project.set("ingest.val_ratio", "0.25")
    project.thawline_run()
    project.set("ingest.val_ratio", "0.3")  # for the next try
    project.set("gate.min_rows", "150")
    said = thawline(project, project.uri, "publish")
    assert "edited since; recorded as the model was made: ingest.val_ratio 0.25\n" in said
    assert "  val_ratio: 0.3\n" in (project.folder / "params.yaml").read_text()
    project.run("git", "checkout", "-q", "params.yaml")
    project.run("git", "stash", "-q", "--include-untracked")
    assert "version 1: commit" in thawline(project, project.uri, "restore", "1")
    restored = (project.folder / "params.yaml").read_text()
    assert "  val_ratio: 0.25\n" in restored
    assert "  min_rows: 150\n" in restored
    assert project.run("dvc", "status", "-q", check=False).returncode == 0


def test_what_git_does_not_have_is_not_replaced(project: Project, tmp_path: Path) -> None:
    """Leave things as after `thawline run`, before anything of it was committed."""
    project.make_network(tmp_path / "remote")
    project.thawline_run()
    thawline(project, project.uri, "publish")
    project.set("ingest.val_ratio", "0.3")
    project.run("dvc", "repro", "-q", env={"THAWLINE_TRACKING": "off"})
    project.run("git", "checkout", "-q", "params.yaml")
    lock = (project.folder / "dvc.lock").read_bytes()
    refused = thawline(project, project.uri, "restore", "1", check=False)
    assert "not in git: dvc.lock; the version has others of that name" in refused
    assert (project.folder / "dvc.lock").read_bytes() == lock
    assert project.run("git", "branch", "--show-current").stdout.strip() == "main"
    (project.folder / "dvc.lock").rename(project.folder / "mine.lock")
    assert "version 1: commit" in thawline(project, project.uri, "restore", "1")
