"""A run is cancelled on Prefect's pages: it ends at once, is marked, and can be gone on with."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.flows.conftest import flow, left_over, serving, states, wait_for
from tests.flows.test_pipeline import ask
from tests.tracking.conftest import Project, project  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow
STAGE = "small.fine_tune"


@pytest.fixture
def api(project: Project, tmp_path: Path) -> Iterator[str]:  # noqa: F811
    """A server with a schedule that is never due, served for the project."""
    (tmp_path / "prefect").mkdir()
    with serving(tmp_path / "prefect") as (address, _):
        project.env["PREFECT_API_URL"] = address
        words = ("serve", "--cron", "0 0 29 2 *", "--flow", "pipeline")
        log = (tmp_path / "log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "thawline.cli", *words], cwd=project.folder, env=project.env,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        log.close()
        try:
            wait_for(lambda: ask(address, "deployments/filter"), 200)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)


def at_work(project: Project) -> list[Any]:  # noqa: F811
    return [p for p in left_over(project.folder) if {STAGE, "dvc", "run"} & set(p.cmdline())]


def test_cancelled_on_prefects_pages(project: Project, api: str) -> None:  # noqa: F811
    (project.folder / "mode-fine_tune").write_text("sleep")
    (deployment,) = ask(api, "deployments/filter")
    run = ask(api, f"deployments/{deployment['id']}/create_flow_run", state={"type": "SCHEDULED"})
    wait_for((project.folder / ".mark").exists, 200)
    assert any(STAGE in p.cmdline() for p in at_work(project))
    began = time.monotonic()
    # What the button sends.
    ask(api, f"flow_runs/{run['id']}/set_state", state={"type": "CANCELLING", "name": "Cancelling"})
    wait_for(lambda: at_work(project) == [], 20)
    assert time.monotonic() - began < 5
    named = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    wait_for(lambda: ask(api, "flow_runs/filter", **named)[0]["state_type"] == "CANCELLED", 30)
    client = MlflowClient(project.uri)
    experiment = client.get_experiment_by_name("thawline")
    assert experiment is not None

    def statuses() -> list[str]:
        runs = client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])
        return [found.info.status for found in runs]

    wait_for(lambda: "RUNNING" not in statuses(), 30)
    assert statuses().count("KILLED") == 2  # the stage and the run that it belongs to
    (project.folder / "mode-fine_tune").unlink()
    again = states(flow(project, "pipeline"))
    assert again == {"ingest": "Skipped", "fine_tune": "Ran", "evaluate": "Ran"}
