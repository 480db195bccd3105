"""The pipeline as a flow, on real DVC, MLflow and Prefect: order, states, failures, endings."""

import json
import os
import re
import signal
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.flows.conftest import STAGES, flow, left_over, states, wait_for
from tests.tracking.conftest import Project

pytestmark = pytest.mark.slow


def ask(api: str, path: str, **body: object) -> Any:
    """Send a request as Prefect's own client does, with a token that the server gave it."""
    client = "tests"
    token = _said(f"{api}/csrf-token?client={client}")["token"]
    headers = {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": client}
    headers["Content-Type"] = "application/json"
    return _said(urllib.request.Request(f"{api}/{path}", json.dumps(body).encode(), headers))


def _said(request: str | urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def run_named(text: str) -> str:
    return text.split("Beginning flow run '")[1].split("'")[0]


def start(project: Project, mode: str) -> Any:
    """The flow, once its fine_tune stage is at work in the given mode."""
    (project.folder / "mode-fine_tune").write_text(mode)
    process = project.popen(sys.executable, "-m", "thawline.flows.pipeline", PYTHONUNBUFFERED="1")
    wait_for((project.folder / ".mark").exists, 200)
    return process


def test_states_say_what_dvc_did(small: Project, api: str) -> None:
    first = flow(small, "pipeline")
    assert list(states(first)) == list(STAGES)
    assert set(states(first).values()) == {"Ran"}
    assert "MLflow run " in first
    assert set(states(flow(small, "pipeline")).values()) == {"Skipped"}
    small.set("fine_tune.epochs", "7")
    changed = states(flow(small, "pipeline"))
    assert changed == {"ingest": "Skipped", "fine_tune": "Ran", "evaluate": "Ran"}
    small.set("fine_tune.epochs", "30")
    flow(small, "pipeline")
    small.set("fine_tune.epochs", "7")
    back = states(flow(small, "pipeline"))
    # DVC keeps no run of a stage with an output that is neither cached nor a metric.
    assert back == {"ingest": "Skipped", "fine_tune": "Restored", "evaluate": "Ran"}
    (run,) = ask(api, "flow_runs/filter", flow_runs={"name": {"any_": [run_named(first)]}})
    assert re.fullmatch(r"pipeline \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", run["name"])
    parents = MlflowClient(small.uri).search_runs(["1"], "tags.`thawline.role` = 'pipeline'")
    assert f"flow run {run['name']}" in [parent.data.tags["thawline.owner"] for parent in parents]
    chosen = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    wait_for(lambda: len(ask(api, "task_runs/filter", **chosen)) == len(STAGES), 20)
    artifacts = ask(api, "artifacts/filter", **chosen)
    assert sum("/#/runs/" in str(found["data"]) for found in artifacts) == len(STAGES)
    assert [a["data"] for a in artifacts if a["type"] == "progress"] == [100.0]
    logs = ask(api, "logs/filter", logs={"flow_run_id": {"any_": [run["id"]]}}, limit=200)
    assert any("python -m small.fine_tune" in line["message"] for line in logs)


@pytest.mark.parametrize(
    ("mode", "state", "code", "words"),
    [("refuse", "Refused", 2, "3 is not allowed"), ("crash", "Failed", 1, "something broke")],
)
def test_a_failed_stage_says_why(
    small: Project, mode: str, state: str, code: int, words: str
) -> None:
    (small.folder / "mode-fine_tune").write_text(mode)
    text = flow(small, "pipeline", code=code)
    assert states(text) == {"ingest": "Ran", "fine_tune": "Failed"}
    last = text.rsplit("Finished in state", 1)[1]
    assert last.startswith(f" {state}(") or state == "Failed"
    assert words in last


def test_a_stage_that_takes_too_long_is_ended(small: Project) -> None:
    small.run(sys.executable, "-m", "thawline.cli", "run", "ingest")
    (small.folder / "mode-fine_tune").write_text("sleep")
    text = flow(small, "pipeline", "--stage-timeout-s", "10", code=1)
    assert states(text)["fine_tune"] == "TimedOut"
    assert "fine_tune: took more than 10 s" in text
    wait_for(lambda: left_over(small.folder) == [], 5)


BREAKS = """
import sys
from thawline.flows import artifacts, pipeline
def broken(self, share):
    raise RuntimeError("the task broke")
artifacts.Progress.stage = broken
sys.exit(pipeline.main([]))
"""


def test_a_task_that_breaks_while_its_stage_works_ends_the_flow(small: Project) -> None:
    """It was named again and again, for ever, once."""
    done = small.run(sys.executable, "-c", BREAKS, check=False)
    assert done.returncode == 1
    text = done.stdout + done.stderr
    assert states(text) == {"ingest": "Failed"}
    assert "the task broke" in text.rsplit("Finished in state", 1)[1]
    wait_for(lambda: left_over(small.folder) == [], 5)


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_signal_ends_everything_within_five_seconds(
    small: Project, signum: signal.Signals, code: int
) -> None:
    process = start(small, "sleep")
    began = time.monotonic()
    group = signum == signal.SIGINT  # as a terminal does it
    os.killpg(process.pid, signum) if group else os.kill(process.pid, signum)
    process.communicate(timeout=20)
    wait_for(lambda: left_over(small.folder) == [], 20)
    assert time.monotonic() - began < 5
    assert process.returncode == code
    (small.folder / "mode-fine_tune").unlink()
    again = states(flow(small, "pipeline"))
    assert again == {"ingest": "Skipped", "fine_tune": "Ran", "evaluate": "Ran"}


def test_a_second_run_is_skipped(small: Project) -> None:
    process = start(small, "pause")
    second = flow(small, "pipeline", code=75)
    assert "Finished in state Skipped(" in second
    assert "skipped: flow run " in second
    plain = small.run(sys.executable, "-m", "thawline.cli", "run", check=False)
    assert plain.returncode == 75
    assert "is in progress" in plain.stderr
    (small.folder / "go").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_it_waits_for_a_dvc_that_is_at_work(small: Project) -> None:
    (small.folder / "mode-fine_tune").write_text("pause")
    other = small.popen("dvc", "repro")
    wait_for((small.folder / ".mark").exists, 200)
    process = small.popen(sys.executable, "-m", "thawline.flows.pipeline")
    log = iter(process.stderr or ())
    assert any("again in 10 s" in line for line in log)
    (small.folder / "go").touch()
    other.communicate(timeout=60)
    text = "".join(log)
    process.communicate(timeout=90)
    assert process.returncode == 0, text


def test_without_a_server_it_brings_its_own(small: Project) -> None:
    del small.env["PREFECT_API_URL"]
    assert set(states(flow(small, "pipeline")).values()) == {"Ran"}
    assert (small.folder / ".thawline/prefect/prefect.db").is_file()
    wait_for(lambda: left_over(small.folder) == [], 5)
    small.set("fine_tune.epochs", "7")
    process = start(small, "sleep")
    process.kill()
    process.communicate()
    wait_for(lambda: left_over(small.folder) == [], 10)


def test_a_lock_of_a_dead_owner_is_taken_over(small: Project) -> None:
    process = small.popen(
        sys.executable, "-c",
        "import time; from thawline.runtime import locks\n"
        "with locks.pipeline(): print('mine', flush=True); time.sleep(60)",
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    process.kill()
    process.communicate()
    text = flow(small, "pipeline")
    assert f"took over the lock of thawline run (process {process.pid} " in text
    owners = list(Path(small.folder, ".thawline/locks").glob("*-pipeline.owner"))
    assert owners == []


def test_a_flow_that_cannot_begin_leaves_nothing_running(small: Project) -> None:
    """`thawline run` is begun before Prefect is loaded, where a server answers."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path.endswith("/health") else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    (small.folder / "mode-ingest").write_text("sleep")
    try:
        small.env["PREFECT_API_URL"] = f"http://127.0.0.1:{server.server_port}/api"
        done = small.run(sys.executable, "-m", "thawline.flows.pipeline", check=False)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert done.returncode == 1, done.stderr
    wait_for(lambda: left_over(small.folder) == [], 20)
