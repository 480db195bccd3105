"""What a study departs from: the project at its beginning, whatever is edited later."""

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.flows.test_worktree import shapes
from tests.pipeline.project import make, wait_for
from thawline.errors import UserError
from thawline.flows import snapshot, workspaces
from thawline.flows.repository import git
from thawline.flows.worktree import WorkTree
from thawline.params import params_file
from thawline.studies.records import code

__all__ = ["shapes"]
STUDY = """\
claim: Augmentation helps.
question: Does it here?
base: {}
axes:
  - augment.policy: [none, light]
seeds: [0]
measure: transfer_learn.val_macro_f1
smallest_effect: 0.02
comparisons:
  - {says: light helps, baseline: none, contenders: [light], expect: better}
"""


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_edits_reach_no_trial(shapes: Path) -> None:
    before = (shapes / "params.yaml").read_bytes()
    with snapshot.taken(shapes) as taken:
        base = pickle.loads(pickle.dumps(taken))
        append(shapes / "params.yaml", "# edited\n")
        append(shapes / "dvc.yaml", "# edited\n")
        (shapes / "data/raw/b/2.png").write_bytes(b"new")
        (shapes / "data/raw/a/1.png").unlink()
        with workspaces.free(base.folder) as tree:
            assert (tree / "params.yaml").read_bytes() == before
            assert "# edited" not in (tree / "dvc.yaml").read_text(encoding="utf-8")
            assert not (tree / "data/raw/b/2.png").exists()
            assert (tree / "data/raw/a/1.png").read_bytes() == b"a"
        base.require()
    assert not base.folder.exists()
    workspaces.remove(shapes)
    assert git(shapes, "worktree", "list").strip().count("\n") == 0


def test_trials_are_known_by_what_the_project_is(shapes: Path) -> None:
    """Whatever git checks out anew has another time."""
    os.utime(shapes / "data/none", (1, 1))
    with snapshot.taken(shapes) as base:
        values = base.params()
        assert values == params_file.load()
        assert code(base.folder, values, "fine_tune") == code(shapes, values, "fine_tune")


def test_an_image_that_is_written_to_is_noticed(shapes: Path) -> None:
    with snapshot.taken(shapes) as base:
        (shapes / "data/raw/a/1.png").write_bytes(b"another picture")
        with pytest.raises(UserError, match=r"data/raw\) were changed since the study began"):
            base.require()


def test_images_outside_of_the_project_are_watched(shapes: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (shapes / "data/raw").rename(outside)
    file = shapes / "params.yaml"
    file.write_text(file.read_text().replace("data/raw", str(outside)), encoding="utf-8")
    with snapshot.taken(shapes) as base:
        base.require()
        (outside / "a/2.png").write_bytes(b"new")
        with pytest.raises(UserError, match="were changed since the study began"):
            base.require()


def test_an_edit_while_it_is_taken_is_refused(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = WorkTree._link_inputs

    def slow(tree: Any) -> None:
        append(shapes / "params.yaml", "# edited\n")
        linked(tree)

    monkeypatch.setattr(WorkTree, "_link_inputs", slow)
    with pytest.raises(UserError, match="changed while the study began"), snapshot.taken(shapes):
        pass
    assert git(shapes, "worktree", "list").strip().count("\n") == 0


@pytest.mark.slow
def test_params_and_code_edited_during_a_study(tmp_path: Path, api: str) -> None:
    project = make(tmp_path / "a project")
    (project.folder / "tiny.yaml").write_text(STUDY, encoding="utf-8")
    words = (sys.executable, "-m", "thawline.flows.study", "tiny.yaml")
    process = project.start(*words, env={"PREFECT_API_URL": api})
    try:
        records = project.folder / ".thawline/studies/tiny"
        wait_for(lambda: list(records.glob("*/record.json")), 300, "for the first trial")
        project.set(seed=5, transfer_learn__learning_rate=0.5, ingest__test_ratio=0.3)
        append(project.folder / "stages/augment.py", "\nraise SystemExit('edited')\n")
        assert process.wait(300) == 0, project.output_file.read_text()
    finally:
        project.end()
    listed = project.run("git", "for-each-ref", "--format=%(refname)", "refs/exps/*/*/*").stdout
    assert listed.count("\n") == 2
    for name in listed.split():
        values = YAML(typ="safe").load(project.run("git", "show", f"{name}:params.yaml").stdout)
        assert (values["seed"], values["ingest"]["test_ratio"]) == (0, 0.2)
        lock = YAML(typ="safe").load(project.run("git", "show", f"{name}:dvc.lock").stdout)
        made_of = lock["stages"]["transfer_learn"]["params"]["params.yaml"]["transfer_learn"]
        assert made_of["learning_rate"] == values["transfer_learn"]["learning_rate"] == 0.01
        assert "edited" not in project.run("git", "show", f"{name}:stages/augment.py").stdout
