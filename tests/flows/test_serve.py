"""`thawline serve`: fires, makes up for an outage once, and ends with all it started."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.flows.conftest import left_over, wait_for
from tests.tracking.conftest import Project

pytestmark = pytest.mark.slow


def test_a_schedule_means_this_machines_clock_and_keeps_no_secret(small: Project) -> None:
    small.env |= {"TZ": "America/New_York"}
    secret = "http://127.0.0.1:9/services/T0KEN"
    words = ("serve", "--cron", "0 3 * * *", "--commit-to", "retrained", "--notify", secret)
    log = small.folder / ".thawline" / "serve.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "thawline.cli", *words], cwd=small.folder, env=small.env,
            stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    read = (
        "from prefect.client.orchestration import get_client\n"
        "with get_client(sync_client=True) as client:\n"
        "    for found in client.read_deployments():\n"
        "        print(found.schedules[0].schedule.timezone, end=' ')\n"
        "    print(*sorted(str(run.expected_start_time) for run in client.read_flow_runs()))\n"
        "    print(*(f'{list(found.parameters)} {found.parameter_openapi_schema}'\n"
        "            for found in client.read_deployments()))\n"
    )

    def told() -> list[str]:
        return small.python(read).stdout.splitlines()

    try:
        wait_for(lambda: " " in told()[0], 200)
        zone, first, *_ = told()[0].split()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    said = log.read_text()
    day = re.search(
        r"cron 0 3 \* \* \*, next run \w+ (\S+) 03:00 E[DS]T \(America/New_York\)", said
    )
    assert day, said
    assert (zone, first) == ("America/New_York", day[1])
    assert re.search(rf"{day[1]} 0[78]:00:00", told()[0])  # in UTC
    parameters = told()[1]
    assert parameters.startswith("['commit_to'] ")
    assert not any(word in parameters for word in ("folder", "notify", "path", "T0KEN"))


def test_a_schedule_fires_and_survives_its_server(small: Project) -> None:
    del small.env["PREFECT_API_URL"]
    small.run(sys.executable, "-m", "thawline.cli", "run")
    words = ("serve", "--interval", "10", "--flow", "pipeline")
    log = small.folder / ".thawline" / "serve.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "thawline.cli", *words], cwd=small.folder, env=small.env,
            stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip

    def completed() -> int:
        return log.read_text().count("Finished in state Completed('3 skipped')")

    wait_for(lambda: completed() >= 2, 300)
    pages = re.search(r"Prefect: (http://\S+)", log.read_text())
    assert pages
    with urllib.request.urlopen(f"{pages[1]}/ui-settings", timeout=10) as reply:
        assert json.load(reply)["api_url"] == "/api"  # where the pages look for their server
    (server,) = [
        p for p in left_over(small.folder) if "thawline.flows.prefect_server" in p.cmdline()
    ]
    server.kill()
    wait_for(lambda: "was restarted" in log.read_text(), 120)
    before = completed()
    wait_for(lambda: completed() > before, 200)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    assert time.monotonic() - began < 5
    assert left_over(small.folder) == []


MISSED = """
import os
from datetime import datetime, timedelta, UTC

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import IntervalSchedule

now = datetime.now(UTC)
hour = timedelta(hours=1)
hourly = IntervalSchedule(interval=hour, anchor_date=now - hour / 2)
schedule = DeploymentScheduleCreate(schedule=hourly)
with get_client(sync_client=True) as client:
    flow = client.create_flow_from_name("missed")
    made = client.create_deployment(flow, "nightly", schedules=[schedule])
    times = {"start_time": str(now - 9 * hour), "end_time": str(now + 3 * hour)}
    client._client.post(f"/deployments/{made}/schedule", json=times | {"min_runs": 12})
    by_hand = client.create_flow_run_from_deployment(made)
    os.environ["PREFECT__RUNTIME__DEPLOYMENT__ID"] = str(made)
    from thawline.flows import missed_runs

    print(missed_runs.skip(), missed_runs.skip())
    runs = client.read_flow_runs(limit=50)
    runs = [run for run in runs if run.deployment_id == made]
    print([run.state.name for run in runs if run.id == by_hand.id])
    for due in (True, False):
        found = [run for run in runs if run.auto_scheduled]
        found = [run for run in found if (run.expected_start_time < now) == due]
        print(len(found), {run.state.name for run in found})
"""


def test_missed_runs_are_made_up_for_once(small: Project) -> None:
    said = small.run("python", "-c", MISSED).stdout.splitlines()
    assert said == ["9 0", "['Scheduled']", "9 {'Skipped'}", "3 {'Scheduled'}"]
