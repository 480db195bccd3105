"""MLflow stores that are of an older schema, read-only, full, or written by many at once."""

import json
import re
import shlex
import shutil
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.faults.mounts import FULL, may_mount
from tests.pipeline.project import wait_for
from tests.tracking.conftest import Project, Server, mlflow_server, project  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow
INGEST = ("python", "-m", "small.ingest")
LOG = "from thawline.tracking.log import log_pending; log_pending()"
RUNS, WRITERS, EPOCHS = 200, 8, 5
OLDER = """
import sys
from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base
from sqlalchemy import create_engine
engine = create_engine(sys.argv[1])
Base.metadata.create_all(engine)
config = _get_alembic_config(sys.argv[1])
older = list(ScriptDirectory.from_config(config).walk_revisions())[3].revision
with engine.begin() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, older)
"""
"""A store as an MLflow of three changes ago made it."""
WRITER = f"""
import sys
from thawline.params import params_file as params
from thawline.tracking.client import open_stage_run
checked = params.load()
for number in range({RUNS // WRITERS}):
    with open_stage_run("ingest", checked, []) as run:
        run.require()
        for epoch in range({EPOCHS}):
            run.metrics({{"loss": 1 / (epoch + 1), "accuracy": epoch / 9}}, step=epoch)
"""
needs_mount = pytest.mark.skipif(not may_mount(), reason="mounting takes rights that are not here")


@pytest.fixture
def store(project: Project) -> Path:  # noqa: F811
    """A folder for a store, apart from the project's."""
    folder = project.folder.parent / "a store"
    folder.mkdir()
    project.env["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    return folder


def refusal(project: Project, *command: str) -> str:  # noqa: F811
    done = project.run(*(command or INGEST), check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert not (project.folder / "out").exists()
    (line,) = done.stderr.strip().splitlines()
    return line


def in_mounts(script: str) -> tuple[str, ...]:
    return ("unshare", "--mount", "bash", "-c", f"set -e\n{FULL}\n{script}")


def test_a_store_of_an_older_schema_is_left_alone_until_asked(
    project: Project,  # noqa: F811
    store: Path,
) -> None:
    uri = project.env["MLFLOW_TRACKING_URI"]
    project.run(sys.executable, "-c", OLDER, uri)
    before = (store / "mlflow.db").read_bytes()
    line = refusal(project)
    assert "made by another version of MLflow; make a copy of it, then `mlflow db upgrade" in line
    assert (store / "mlflow.db").read_bytes() == before
    (command,) = re.findall(r"`(mlflow db upgrade .*)`", line)
    project.run(*shlex.split(command))
    project.run(*INGEST)


@needs_mount
def test_a_read_only_store_is_refused_before_the_work(project: Project, store: Path) -> None:  # noqa: F811
    project.run(*INGEST)
    shutil.rmtree(project.folder / "out")
    here = shlex.quote(str(store))
    mount = f"mount --bind {here} {here} && mount -o remount,bind,ro {here}"
    line = refusal(project, *in_mounts(f"{mount}\n{' '.join(INGEST)}"))
    assert re.search(r"cannot be used \(.*read-?only", line, re.IGNORECASE)
    assert "THAWLINE_TRACKING=off" in line


@needs_mount
def test_a_full_store_is_refused_before_the_work(project: Project, store: Path) -> None:  # noqa: F811
    line = refusal(project, *in_mounts(f"fill {shlex.quote(str(store))}\n{' '.join(INGEST)}"))
    assert re.search(r"cannot be used \(.*(disk is full|No space left)", line)


FILLS = """\
mount -t tmpfs none "$STORE"
dvc repro ingest 2> errors &
until [ -e .mark ]; do sleep 0.1; done
sleep 2  # what was sent before arrives
fill "$STORE"
touch go
wait $!
room "$STORE"
python -c "$LOG"
python -c "$SHOW"
"""
SHOW = """
import json, os
from mlflow import MlflowClient
client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
found = client.get_experiment_by_name("thawline")
(run,) = client.search_runs([found.experiment_id], "tags.`thawline.role` = 'stage'")
history = client.get_metric_history(run.info.run_id, "loss")
print(json.dumps([run.info.status, [metric.step for metric in history]]))
"""


@needs_mount
def test_a_store_that_fills_up_costs_neither_result_nor_record(
    project: Project,  # noqa: F811
    store: Path,
) -> None:
    (project.folder / "mode-ingest").write_text("pause")
    env = {"STORE": str(store), "LOG": LOG, "SHOW": SHOW}
    done = project.run(*in_mounts(FILLS), env=env)
    assert (project.folder / "out/ingest/a b.txt").exists()
    errors = (project.folder / "errors").read_text()
    assert errors.count("`thawline log` sends it later") == 1
    assert "disk is full" in errors
    assert "1 pending record(s) sent" in done.stdout
    assert json.loads(done.stdout.splitlines()[-1]) == ["FINISHED", [0, 1, 2, 3]]
    assert not list((project.folder / ".thawline/journal").glob("*/"))


@pytest.fixture
def reader(store: Path) -> Iterator[list[int]]:
    """Sizes of the answers that somebody who looks at MLflow's pages all the time got."""
    server = Server(store)
    (store / "server.db").symlink_to("mlflow.db")
    server.start()
    answers: list[int] = []
    ended = threading.Event()
    query = json.dumps({"experiment_ids": ["1"], "max_results": 1000}).encode()
    request = urllib.request.Request(
        f"{server.uri}/api/2.0/mlflow/runs/search", query, {"Content-Type": "application/json"}
    )

    def look() -> None:
        while not ended.wait(0.5):
            with urllib.request.urlopen(request, timeout=300) as answer:
                answers.append(len(json.load(answer).get("runs", [])))

    thread = threading.Thread(target=look)
    thread.start()
    yield answers
    ended.set()
    thread.join()
    server.kill()


def test_two_hundred_runs_of_eight_writers_and_a_reader(
    project: Project,  # noqa: F811
    store: Path,
    reader: list[int],
) -> None:
    processes = []
    for number in range(WRITERS):
        folder = project.folder.parent / str(number)
        shutil.copytree(project.folder, folder)
        writer = Project(folder)
        env = {"MLFLOW_TRACKING_URI": project.env["MLFLOW_TRACKING_URI"]}
        processes.append(writer.popen(sys.executable, "-c", WRITER, **env))
    for process in processes:
        _, errors = process.communicate(timeout=800)
        assert process.returncode == 0, errors
        assert "sends it later" not in errors
    client = MlflowClient(project.env["MLFLOW_TRACKING_URI"])
    runs = client.search_runs(["1"], "tags.`thawline.role` = 'stage'", max_results=1000)
    assert [run.info.status for run in runs] == ["FINISHED"] * RUNS
    for run in runs:
        for name in ("loss", "accuracy"):
            history = client.get_metric_history(run.info.run_id, name)
            assert [metric.step for metric in history] == list(range(EPOCHS))
    wait_for(lambda: reader[-1:] >= [RUNS], 60, "for the reader's last look")
    assert sorted(reader) == reader
