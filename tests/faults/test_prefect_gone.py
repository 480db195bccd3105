"""Prefect's server ends in the middle of a flow: the flow says so, the next one goes on."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.flows.conftest import flow, left_over, serving, states, wait_for
from tests.tracking.conftest import Project, project  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow


def test_a_server_that_is_gone_ends_the_flow_and_the_next_goes_on(
    project: Project,  # noqa: F811
    tmp_path: Path,
) -> None:
    (tmp_path / "prefect").mkdir()
    (project.folder / "mode-fine_tune").write_text("pause")
    (project.folder / "mode-evaluate").write_text("sleep")  # for longer than the flow's patience
    with serving(tmp_path / "prefect") as (address, server):
        project.env["PREFECT_API_URL"] = address
        process = project.popen(sys.executable, "-m", "thawline.flows.pipeline")
        wait_for((project.folder / ".mark").exists, 300)
        os.killpg(server.pid, signal.SIGKILL)
    (project.folder / "go").touch()
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 1
    # Not always the last line: Prefect may still complain that its log has nowhere to go.
    assert f"\nthawline: PREFECT_API_URL: {address} does not answer any more" in errors
    wait_for(lambda: left_over(project.folder) == [], 20)

    for name in ("fine_tune", "evaluate"):
        (project.folder / f"mode-{name}").unlink()
    del project.env["PREFECT_API_URL"]
    again = states(flow(project, "pipeline"))
    assert again == {"ingest": "Skipped", "fine_tune": "Skipped", "evaluate": "Ran"}
