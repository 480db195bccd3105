"""`python -m thawline.flows.study`: mistakes, and a real study that goes on where it was."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.pipeline.project import Project, make
from thawline.errors import UserError
from thawline.flows import study, trial_outputs

TEXT = """\
claim: Augmentation helps.
question: Does it here?
base: {}
axes:
  - augment.policy: [none, light]
seeds: [0, 1]
measure: transfer_learn.val_macro_f1
smallest_effect: 0.02
comparisons:
  - {says: light helps, baseline: none, contenders: [light], expect: better}
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("depht",), "study: 'depht' is unknown; allowed: activation"),
        (("nowhere.yaml",), "nowhere.yaml: cannot be read"),
        (("depth", "--budget", "soon"), "--budget: 'soon' is not allowed"),
        (("depth", "--budget", "0m"), "--budget: '0m' is not allowed"),
        (("depth", "--workers", "0"), "--workers: 0 is not allowed"),
        (("depth", "--workers", "2", "--address", "tcp://x:1"), "--workers: not with --address"),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...],
    said: str,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(repository)
    assert study.main(words) == UserError.exit_code
    error = capsys.readouterr().err
    assert error.startswith(f"thawline: {said}")
    assert error.count("\n") == 1


def test_seconds() -> None:
    assert [study.seconds(t) for t in ("90s", "1.5m", "8h", None)] == [90, 90, 28800, None]


def test_the_plan_runs_nothing(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    assert study.main(("mobilenet", "--plan")) == 0
    assert "mobilenet: 2 contenders x 5 seeds = 10 trials" in capsys.readouterr().out


def test_a_reader_of_the_plan_may_leave(repository: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w") as output:
        command = [sys.executable, "-m", "thawline.flows.study", "mobilenet", "--plan"]
        done = subprocess.run(command, cwd=repository, stdout=output, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory, api: str) -> Project:
    """A project in which a study of four trials ran, two at a time."""
    project = make(tmp_path_factory.mktemp("studied") / "a project")
    (project.folder / "tiny.yaml").write_text(TEXT, encoding="utf-8")
    words = (sys.executable, "-m", "thawline.flows.study", "tiny.yaml", "--workers", "2")
    project.first = project.run(*words, env={"PREFECT_API_URL": api})
    return project


def _records(project: Project) -> list[dict[str, object]]:
    paths = sorted((project.folder / ".thawline/studies/tiny").glob("*/record.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


@pytest.mark.slow
def test_every_trial_is_an_experiment_and_a_nested_run(studied: Project) -> None:
    records = _records(studied)
    assert [record["state"] for record in records] == ["complete"] * 4
    listed = studied.run("dvc", "exp", "list", "--name-only").stdout.split()
    assert sorted(listed) == sorted(str(record["experiment"]) for record in records)
    client: MlflowClient = studied.client
    (parent,) = studied.runs("study")
    trials = studied.runs("trial")
    assert parent.info.status == "FINISHED"
    assert {run.info.run_id for run in trials} == {record["run_id"] for record in records}
    for run in trials:
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert "val_macro_f1" in run.data.metrics
        assert run.data.params["training.threads"] == str(max(1, min(2, _cores() // 2)))
    report = [file.path for file in client.list_artifacts(parent.info.run_id, "report")]
    assert report == ["report/tiny.html", "report/tiny.md"]
    assert studied.runs("pipeline") == []


@pytest.mark.slow
def test_data_are_made_once_per_seed(studied: Project) -> None:
    found = [run.data.tags["thawline.stage"] for run in studied.runs("stage")]
    assert found.count("ingest") == 2
    assert found.count("transfer_learn") == 4


@pytest.mark.slow
def test_the_project_is_as_it_was(studied: Project) -> None:
    changed = studied.run("git", "status", "--porcelain", "--untracked-files=all").stdout
    assert changed.split() == ["??", "tiny.yaml"]
    assert studied.run("git", "worktree", "list").stdout.count("\n") == 1
    assert [path.name for path in (studied.folder / "models").iterdir()] == ["README.md"]
    assert studied.client.search_registered_models() == []


@pytest.mark.slow
def test_what_is_known_is_not_repeated(studied: Project, api: str) -> None:
    before, runs = _records(studied), len(studied.runs("stage"))
    words = (sys.executable, "-m", "thawline.flows.study", "tiny.yaml", "--workers", "2")
    done = studied.run(*words, env={"PREFECT_API_URL": api})
    assert "tiny: 4 trials complete" in done.stdout + done.stderr
    assert _records(studied) == before
    assert len(studied.runs("stage")) == runs
    assert len(studied.runs("study")) == 1


@pytest.mark.slow
def test_the_report_says_what_was_found(studied: Project) -> None:
    page = (studied.folder / "build/studies/tiny.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert "http" not in page
    for record in _records(studied):
        if record["seed"] == 0:
            assert record["costs"]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        ("", False),
        ("schema: '2.0'\nstages:\n  ingest:\n    cmd: python -m sta", True),
        ("stages: [", False),
        ("- x", False),
        ("schema: '2.0'\nstages:\n  ingest:\n", False),
    ],
)
def test_half_a_lock_that_a_killed_trial_left_ends_no_later_one(
    tmp_path: Path, repository: Path, text: str, is_kept: bool
) -> None:
    shutil.copy(repository / "dvc.yaml", tmp_path)
    (tmp_path / "dvc.lock").write_text(text)
    trial_outputs.drop_later(tmp_path, "transfer_learn")
    assert (tmp_path / "dvc.lock").exists() == is_kept


def test_no_trial_starts_after_the_budget() -> None:
    from thawline.flows import study_flow, trial

    trial.begin()
    assert [trial.spent(t) for t in (None, time.time() + 60, time.time() - 1)] == [
        False, False, True,
    ]  # fmt: skip
    state = study_flow.run.fn(None, time.time() - 1)
    assert (state.name, state.message) == ("Not started", "the budget was spent")
