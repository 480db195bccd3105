"""DVC's three kinds of experiments all land in the one MLflow store, named and linked."""

from collections.abc import Iterator

import pytest
from mlflow.entities import Run

from tests.pipeline.project import STAGES, Project, wait_for

pytestmark = pytest.mark.slow
EXPERIMENTS = ("here", "temporary", "queued")


@pytest.fixture(scope="module")
def experimented(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project in which one experiment of each kind ran."""
    project = built.copy(tmp_path_factory.mktemp("experiments") / "a copy")
    bins = "evaluate.calibration_bins"
    start = ("dvc", "exp", "run", "--name")
    try:
        project.run(*start, "temporary", "--temp", "-S", f"{bins}=5")
        project.run(*start, "queued", "--queue", "-S", f"{bins}=6")
        project.run("dvc", "queue", "start")
        wait_for(
            lambda: "Success" in project.run("dvc", "queue", "status").stdout, 240, "for the queue"
        )
        project.run("dvc", "queue", "stop", "--kill")
        project.run(*start, "here", "-S", "fine_tune.learning_rate=0.01")
        wait_for(lambda: not project.left_over(), 30, "for the queue's workers")
        yield project
    finally:
        project.end()


def _parent(project: Project, name: str) -> Run:
    (found,) = [r for r in project.runs("pipeline") if r.data.tags.get("dvc.experiment") == name]
    return found


@pytest.mark.ci
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_kind_lands_in_the_same_experiment(experimented: Project, name: str) -> None:
    parent = _parent(experimented, name)
    head = experimented.run("git", "rev-parse", "HEAD").stdout.strip()
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["dvc.baseline"] == head
    assert parent.data.tags["git.commit"] == head
    assert "compress.latency_ms" in parent.data.metrics
    assert parent.data.tags["stage.evaluate"] == "ran"
    assert len(experimented.runs("pipeline")) == len(EXPERIMENTS) + 1


@pytest.mark.ci
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_did_not_run_is_linked_to_what_made_it(experimented: Project, name: str) -> None:
    first, parent = experimented.runs("pipeline")[0], _parent(experimented, name)
    again = ("fine_tune", "compress", "evaluate") if name == "here" else ("evaluate",)
    for stage in STAGES:
        run_id = f"stage.{stage}.run_id"
        fate = "ran" if stage in again else "skipped or restored"
        assert parent.data.tags[f"stage.{stage}"] == fate
        assert (parent.data.tags[run_id] == first.data.tags[run_id]) == (stage not in again)


@pytest.mark.ci
def test_params_are_the_experiments_own(experimented: Project) -> None:
    assert _parent(experimented, "here").data.params["fine_tune.learning_rate"] == "0.01"
    assert _parent(experimented, "queued").data.params["evaluate.calibration_bins"] == "6"


@pytest.mark.ci
def test_no_other_store_appears(experimented: Project) -> None:
    stores = list(experimented.folder.rglob("mlflow.db"))
    assert stores == [experimented.folder / "mlflow.db"]


@pytest.mark.ci
def test_dvc_keeps_the_experiments(experimented: Project) -> None:
    listed = experimented.run("dvc", "exp", "list", "--name-only").stdout.split()
    assert sorted(listed) == sorted(EXPERIMENTS)


def test_run_all_works_through_the_queue_itself(experimented: Project) -> None:
    setting = "evaluate.calibration_bins=7"
    experimented.run("dvc", "exp", "run", "--name", "all", "--queue", "-S", setting)
    experimented.run("dvc", "exp", "run", "--run-all")
    parent = _parent(experimented, "all")
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["stage.evaluate"] == "ran"
    assert parent.data.params["evaluate.calibration_bins"] == "7"
