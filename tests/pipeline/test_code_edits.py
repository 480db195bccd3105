"""An edit of code re-runs exactly the stages that name it."""

import json

import pytest

from tests.pipeline.project import STAGES, Project, ran

pytestmark = pytest.mark.slow


def _edit(project: Project, file: str) -> None:
    path = project.folder / file
    path.write_text(path.read_text(encoding="utf-8") + "\n# An edit.\n", encoding="utf-8")


def _changed(project: Project) -> set[str]:
    return set(json.loads(project.run("dvc", "status", "--json").stdout))


@pytest.mark.ci
@pytest.mark.parametrize("file", ["thawline/rebalance/none.py", "thawline/tracking/client.py"])
def test_code_that_makes_no_output_reruns_nothing(copied: Project, file: str) -> None:
    """A strategy that is not selected, and tracking, which leaves outputs alone."""
    _edit(copied, file)
    assert _changed(copied) == set()


def test_a_used_module_reruns_the_stages_that_name_it(copied: Project) -> None:
    _edit(copied, "thawline/augment/_preview.py")
    assert ran(copied.run("dvc", "repro")) == ["augment"]
    _edit(copied, "thawline/dataset/rows.py")
    stages = copied.yaml("dvc.yaml")["stages"]
    named = {name for name in STAGES if "thawline/dataset/rows.py" in stages[name]["deps"]}
    assert named == _changed(copied) == set(STAGES) - {"ingest"}
    up_to = ["rebalance", "augment", "transfer_learn"]
    assert ran(copied.run("dvc", "repro", "transfer_learn")) == up_to
