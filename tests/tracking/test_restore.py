"""From a registered version back to what made it, in a fresh clone with a DVC remote."""

from pathlib import Path

import pytest

from tests import colours
from tests.tracking.conftest import Project

pytestmark = pytest.mark.slow


def thawline(project: Project, uri: str, *words: str, check: bool = True) -> str:
    code = f"import sys; sys.argv = ['thawline', *{words!r}]; from thawline.cli import main; main()"
    done = project.python(code, check=check, env={"MLFLOW_TRACKING_URI": uri})
    return done.stdout + done.stderr


@pytest.fixture
def published(project: Project, tmp_path: Path) -> Project:
    """Two versions, the second after an edit of params, both pushed to a remote."""
    colours.write_images(project.folder / "raw", ["train", "val", "test"] * 10)
    colours.write(project.folder / "net")
    make = project.folder / "small/ingest.py"
    make.write_text(
        make.read_text().replace(
            "    run.require()\n",
            "    run.require()\n    import shutil\n"
            "    shutil.copytree('raw', 'data/ingest', dirs_exist_ok=True)\n"
            "    shutil.copytree('net', 'models/compress', dirs_exist_ok=True)\n"
            "    open('models/compress/note', 'w').write(str(params.ingest.val_ratio))\n",
        )
    )
    graph = project.folder / "dvc.yaml"
    text = graph.read_text()
    graph.write_text(
        text.replace("[out/ingest/]", "[out/ingest/, data/ingest, models/compress]", 1)
    )
    ignored = project.folder / ".gitignore"
    ignored.write_text(ignored.read_text() + "/out\n/data/ingest\n/models\n/reports/*/report.md\n")
    project.run("dvc", "remote", "add", "--default", "near", str(tmp_path / "remote"))
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "models")
    for ratio in ("0.15", "0.2"):
        project.set("ingest.val_ratio", ratio)
        project.thawline_run()
        thawline(project, project.uri, "publish")
        project.run("dvc", "push", "-q")
        project.run("git", "add", "-A")
        project.run("git", "commit", "-qm", f"ratio {ratio}")
    return project


def test_a_fresh_clone_gets_commit_params_and_outputs(published: Project, tmp_path: Path) -> None:
    clone = Project(tmp_path / "clone")
    published.run("git", "clone", "-q", str(published.folder), str(clone.folder))
    for version, ratio in (("1", "0.15"), ("2", "0.2")):
        assert f"version {version}: commit" in thawline(clone, published.uri, "restore", version)
        assert (clone.folder / "models/compress/note").read_text() == ratio
        assert f"val_ratio: {ratio} " in (clone.folder / "params.yaml").read_text() + " "
        assert clone.run("dvc", "status", "-q", check=False).returncode == 0
        clone.run("git", "checkout", "-q", "--force", "main")
    with (clone.folder / "params.yaml").open("a") as file:
        file.write("# an edit\n")
    refused = thawline(clone, published.uri, "restore", "1", check=False)
    assert "not committed: params.yaml" in refused
    assert (clone.folder / "params.yaml").read_text().endswith("# an edit\n")
    assert clone.run("git", "branch", "--show-current").stdout.strip() == "main"
