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
    (server,) = [p for p in left_over(small.folder) if "flows.prefect_server" in p.cmdline()]
    server.kill()
    wait_for(lambda: "was started again" in log.read_text(), 120)
    before = completed()
    wait_for(lambda: completed() > before, 200)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    assert time.monotonic() - began < 5
    assert left_over(small.folder) == []
