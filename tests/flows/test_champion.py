"""A retraining's champion: nobody becomes it before others can have what it was made of."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.flows.conftest import flow
from tests.tracking.conftest import Project

pytestmark = pytest.mark.slow
RESTORE = (
    "import sys; sys.argv = ['thawline', 'restore', 'champion'];"
    "from thawline.cli import app; app.main()"
)


def test_a_champion_can_be_restored_in_a_clone(small: Project, tmp_path: Path) -> None:
    small.make_network(tmp_path / "remote")
    text = flow(small, "retrain", "--commit-to", "main", code=2)
    assert "--commit-to: 'main'" in text  # it is checked out
    assert (tmp_path / "remote").is_dir()
    assert MlflowClient(small.uri).search_registered_models() == []
    flow(small, "retrain", "--commit-to", "retrained")
    runs = MlflowClient(small.uri).search_runs(["1"], "tags.`thawline.role` = 'pipeline'")
    # The project's branch: the working tree of a retraining has none.
    assert {run.info.run_name.partition("@")[0] for run in runs} == {"main"}
    aliases = MlflowClient(small.uri).get_registered_model("thawline").aliases
    assert str(aliases["champion"]) == "1"
    clone = Project(tmp_path / "clone")
    small.run("git", "clone", "-q", "-b", "retrained", str(small.folder), str(clone.folder))
    clone.python(RESTORE, env={"MLFLOW_TRACKING_URI": small.uri})
    assert (clone.folder / "models/compress/model.onnx").is_file()
    assert clone.run("dvc", "status", "-q", check=False).returncode == 0
