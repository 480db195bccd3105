"""Working trees of a project whose images nobody told git of."""

import subprocess
import sys
from pathlib import Path

import pytest

from thawline.flows import trial_outputs, workspaces
from thawline.flows.repository import git
from thawline.flows.worktree import WorkTree, edits


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one's own with two images in data/raw, which git neither has nor ignores."""
    root = tmp_path / "shapes"
    words = [sys.executable, "-m", "thawline.cli", "init", str(root)]
    subprocess.run(words, check=True, capture_output=True)
    git(root, "add", "-A")
    git(root, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "Start")
    params = root / "params.yaml"
    text = params.read_text(encoding="utf-8")
    text = text.replace("source: digits", "source: folder").replace(
        "path: data/none", "path: data/raw", 1
    )
    params.write_text(text, encoding="utf-8")
    for name in ("a", "b"):
        (root / "data/raw" / name).mkdir(parents=True)
        (root / "data/raw" / name / "1.png").write_bytes(name.encode())
    monkeypatch.chdir(root)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return root


def test_images_are_linked_and_are_no_edit(shapes: Path) -> None:
    assert set(edits(shapes)) == {"params.yaml"}
    with WorkTree(shapes, git(shapes, "rev-parse", "HEAD")).made() as folder:
        for name in ("a", "b"):
            own = Path("data/raw") / name / "1.png"
            assert (folder / own).samefile(shapes / own)
        assert set(edits(folder)) == {"params.yaml"}
        (folder / "notes.txt").write_text("of the run")
        assert trial_outputs._untracked(folder) == ["-I", "notes.txt"]


def test_a_new_image_makes_a_new_workspace(shapes: Path) -> None:
    with workspaces.free(shapes) as first:
        assert not (first / "data/raw/b/2.png").exists()
    (shapes / "data/raw/b/2.png").write_bytes(b"new")
    with workspaces.free(shapes) as second:
        assert second == first
        assert (second / "data/raw/b/2.png").read_bytes() == b"new"
