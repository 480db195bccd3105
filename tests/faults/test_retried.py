"""A stage that failed, or was killed, is run again: nothing of it is recorded twice."""

import pytest
from mlflow import MlflowClient

from tests.tracking.conftest import Project, project  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow


def test_a_retried_stage_is_recorded_once(project: Project) -> None:  # noqa: F811
    (project.folder / "mode-fine_tune").write_text("crash")  # after its metrics
    assert project.thawline_run(check=False).returncode == 1
    (project.folder / "mode-fine_tune").unlink()
    project.thawline_run()
    client = MlflowClient(project.uri)
    experiment = client.get_experiment_by_name("thawline")
    assert experiment is not None
    query = "tags.`thawline.stage` = 'fine_tune'"
    order = ["start_time ASC"]
    runs = client.search_runs([experiment.experiment_id], query, order_by=order)
    assert [run.info.status for run in runs] == ["FAILED", "FINISHED"]
    assert len({run.data.tags["mlflow.parentRunId"] for run in runs}) == 2
    for run in runs:
        history = client.get_metric_history(run.info.run_id, "loss")
        assert [metric.step for metric in history] == [0, 1, 2]
    query = "tags.`thawline.stage` = 'ingest'"
    (ingest,) = client.search_runs([experiment.experiment_id], query)
    assert ingest.info.status == "FINISHED"
