"""Edit what a stage is made of while it runs: it is never recorded for the result."""

import json
import subprocess

import pytest
from mlflow import MlflowClient
from ruamel.yaml import YAML

from tests.pipeline.project import wait_for
from tests.tracking.conftest import Project

pytestmark = pytest.mark.slow
RUN = (
    "python",
    "-c",
    "import sys; from thawline.pipeline.run import run; sys.exit(run())",
)
REPRO = ("dvc", "repro")


def _paused(project: Project, stage: str, command: tuple[str, ...]) -> subprocess.Popen[str]:
    (project.folder / f"mode-{stage}").write_text("pause")
    process = project.popen(*command)
    wait_for((project.folder / ".mark").exists, 60, "for the stage")
    return process


def _go_on(project: Project, process: subprocess.Popen[str], stage: str) -> str:
    (project.folder / "go").write_text("")
    output = "".join(process.communicate(timeout=90))
    for name in ("go", ".mark", f"mode-{stage}"):
        (project.folder / name).unlink(missing_ok=True)
    return output


def _lock(project: Project) -> dict[str, object]:
    path = project.folder / "dvc.lock"
    found = YAML(typ="safe").load(path.read_text()) if path.exists() else {"stages": {}}
    return found["stages"]  # type: ignore[no-any-return]


def _run_cache(project: Project) -> list[dict[str, object]]:
    files = (project.folder / ".dvc/cache/runs").glob("*/*/*")
    return [YAML(typ="safe").load(file.read_text()) for file in files]


def _rates(project: Project, stage: str = "fine_tune") -> list[float]:
    """List what the run cache keeps."""
    return [
        entry["params"]["params.yaml"][stage]["learning_rate"]  # type: ignore[index]
        for entry in _run_cache(project)
        if f"small.{stage}" in str(entry["cmd"])
    ]


def _made(project: Project) -> str:
    return (project.folder / "out/fine_tune/a b.txt").read_text()


@pytest.mark.ci
@pytest.mark.parametrize("command", [RUN, REPRO])
def test_params_of_a_running_stage(project: Project, command: tuple[str, ...]) -> None:
    project.set("fine_tune.learning_rate", "0.04")
    process = _paused(project, "fine_tune", command)
    project.set("fine_tune.learning_rate", "0.03")
    output = _go_on(project, process, "fine_tune")
    assert process.returncode == (2 if command == RUN else 255)
    (line,) = {
        line for line in output.splitlines() if line.startswith("fine_tune: params.yaml: fine_tune")
    }
    assert "learning_rate was edited from 0.04 to 0.03 while the stage ran" in line
    assert "kept for the old value" in line
    assert set(_lock(project)) == {"ingest"}
    assert _rates(project) == [0.04]
    assert not (project.folder / "out/fine_tune").exists()
    # The old value again: nothing is computed, and it is the result of the old value.
    project.set("fine_tune.learning_rate", "0.04")
    again = project.run(*REPRO)
    assert "Stage 'fine_tune' is cached - skipping run" in again.stdout
    assert '"learning_rate": 0.04' in _made(project)
    metrics = json.loads((project.folder / "reports/fine_tune/metrics.json").read_text())
    assert metrics == {"fine_tune": {"accuracy": 0.5}}
    # The new one is computed.
    project.set("fine_tune.learning_rate", "0.03")
    assert "Running stage 'fine_tune'" in project.run(*REPRO).stdout
    assert '"learning_rate": 0.03' in _made(project)
    assert sorted(_rates(project)) == [0.03, 0.04]


def test_outputs_stay_as_they_were(project: Project) -> None:
    project.thawline_run()
    before = {
        path: path.read_bytes()
        for folder in ("out", "reports")
        for path in (project.folder / folder).rglob("*")
        if path.is_file()
    }
    lock = (project.folder / "dvc.lock").read_bytes()
    project.set("fine_tune.learning_rate", "0.02")
    process = _paused(project, "fine_tune", RUN)
    project.set("fine_tune.learning_rate", "0.01")
    assert "edited from 0.02 to 0.01" in _go_on(project, process, "fine_tune")
    assert (project.folder / "dvc.lock").read_bytes() == lock
    assert {path: path.read_bytes() for path in before} == before
    client = MlflowClient(project.uri)
    found = client.get_experiment_by_name("thawline")
    assert found is not None
    runs = client.search_runs([found.experiment_id], order_by=["start_time ASC"])
    assert {run.info.status for run in runs} == {"FINISHED", "FAILED"}


@pytest.mark.parametrize("edited", ["code", "input", "input of another stage"])
def test_code_and_inputs_of_a_running_stage(project: Project, edited: str) -> None:
    spec = project.folder / "dvc.yaml"
    deps = "    deps: [out/ingest/, small/fine_tune.py, table.csv]\n"
    spec.write_text(spec.read_text().replace("    deps: [out/ingest/]\n", deps))
    (project.folder / "table.csv").write_text("image,label\n")
    process = _paused(project, "fine_tune", REPRO)
    name, path = {
        "code": ("small/fine_tune.py", project.folder / "small/fine_tune.py"),
        "input": ("table.csv", project.folder / "table.csv"),
        "input of another stage": ("out/ingest/", project.folder / "out/ingest/new.txt"),
    }[edited]
    content = path.read_text() if path.exists() else ""
    path.write_text(content + "# edited\n")
    output = _go_on(project, process, "fine_tune")
    assert f"fine_tune: {name}: was changed while the stage ran" in output
    assert (process.returncode, _rates(project)) == (255, [])
    assert set(_lock(project)) == {"ingest"}


def test_what_has_nothing_to_do_with_it_may_be_edited(project: Project) -> None:
    process = _paused(project, "fine_tune", REPRO)
    project.set("ingest.test_ratio", "0.3")  # of a stage that is done
    (project.folder / "notes.txt").write_text("for the next try")
    params = project.folder / "params.yaml"
    params.write_text("# A remark.\n" + params.read_text())
    _go_on(project, process, "fine_tune")
    assert process.returncode == 0
    assert set(_lock(project)) == {"ingest", "fine_tune", "evaluate"}
    status = json.loads(project.run("dvc", "status", "--json").stdout)
    assert set(status) == {"ingest"}


@pytest.mark.parametrize("command", [RUN, REPRO])
def test_params_of_a_stage_to_come(project: Project, command: tuple[str, ...]) -> None:
    """The run is recorded, and DVC has read dvc.yaml, with what they were."""
    project.set("evaluate.bootstrap_samples", "2000")
    process = _paused(project, "fine_tune", command)
    project.set("evaluate.bootstrap_samples", "100")
    output = _go_on(project, process, "fine_tune")
    said = "evaluate: params.yaml: evaluate.bootstrap_samples was edited from 2000 to 100 while the"
    assert said in output
    assert process.returncode == (2 if command == RUN else 255)
    assert set(_lock(project)) == {"ingest", "fine_tune"}
    project.run(*REPRO)
    assert set(_lock(project)) == {"ingest", "fine_tune", "evaluate"}


def _experiment(project: Project) -> "subprocess.Popen[str]":
    """Start an experiment; it stops within fine_tune."""
    project.run(*REPRO)
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "results")
    (project.folder / "mode-fine_tune").write_text("pause")
    process = project.popen("dvc", "exp", "run", "-S", "fine_tune.learning_rate=0.02")
    wait_for((project.folder / ".mark").exists, 60, "for the stage")
    return process


def test_in_an_experiment_too(project: Project) -> None:
    process = _experiment(project)
    project.set("fine_tune.learning_rate", "0.01")
    output = _go_on(project, process, "fine_tune")
    assert "edited from 0.02 to 0.01 while the stage ran" in output
    assert process.returncode != 0
    rates = _rates(project)
    assert 0.02 in rates
    assert 0.01 not in rates


def test_an_experiment_has_no_params_that_its_result_was_not_made_of(project: Project) -> None:
    """DVC commits params.yaml whole, also what was edited of stages that are done."""
    process = _experiment(project)
    project.set("ingest.test_ratio", "0.3")
    output = _go_on(project, process, "fine_tune")
    assert "ingest.test_ratio was edited from 0.2 to 0.3 while the stage ran" in output
    assert process.returncode != 0
    assert project.run("dvc", "exp", "list", "--name-only").stdout.split() == []
    # What was computed is not lost.
    project.set("ingest.test_ratio", "0.2")
    again = project.run("dvc", "exp", "run", "-S", "fine_tune.learning_rate=0.02")
    assert "Stage 'fine_tune' is cached - skipping run" in again.stdout
    listed = project.run("git", "for-each-ref", "--format=%(refname)", "refs/exps/*/*/*").stdout
    (ref,) = listed.split()
    values = YAML(typ="safe").load(project.run("git", "show", f"{ref}:params.yaml").stdout)
    assert values["fine_tune"]["learning_rate"] == 0.02
    assert values["ingest"]["test_ratio"] == 0.2


def _edit_after_the_stage(project: Project, stage: str, path: str, old: str, new: str) -> None:
    """Between the stage's own comparison and DVC's reading."""
    script = project.folder / f"small/{stage}.py"
    lines = (
        "    import atexit\n"
        f"    path = Path({path!r})\n"
        f"    text = path.read_text().replace({old!r}, {new!r})\n"
        "    atexit.register(path.write_text, text)\n"
    )
    whole = script.read_text()
    script.write_text(whole.replace("    run.require()\n", f"    run.require()\n{lines}", 1))


@pytest.mark.parametrize("command", [RUN, REPRO])
@pytest.mark.parametrize("stage", ["fine_tune", "evaluate"])
def test_params_edited_before_dvc_writes_them_down(
    project: Project, stage: str, command: tuple[str, ...]
) -> None:
    key = {"fine_tune": "patience", "evaluate": "calibration_bins"}[stage]
    project.set(f"{stage}.{key}", "5")
    text = (project.folder / "params.yaml").read_text()
    _edit_after_the_stage(project, stage, "params.yaml", f"  {key}: 5", f"  {key}: 4")
    assert text.count(f"  {key}: 5\n") == 1
    first = project.run(*command, check=False)
    if (stage, command) == ("evaluate", REPRO):  # nobody of ours comes after it
        assert first.returncode == 0
        first = project.run(*RUN, check=False)
    else:
        assert first.returncode == (2 if command == RUN else 255)
    said = f"{stage}: params.yaml: {stage}.{key} was edited from 5 to 4 at the moment"
    assert said in first.stdout + first.stderr
    assert "kept for the old value" in first.stdout + first.stderr
    entries = [entry for entry in _run_cache(project) if f"small.{stage}" in str(entry["cmd"])]
    values = [entry["params"]["params.yaml"][stage][key] for entry in entries]  # type: ignore[index]
    assert values == [5]
    ran_anew = (stage, command) == ("evaluate", REPRO)
    assert (stage in _lock(project)) == ran_anew
    script = project.folder / f"small/{stage}.py"
    script.write_text(script.read_text().replace("    atexit.register", "    #"))
    project.run(*REPRO)
    assert _lock(project)[stage]["params"]["params.yaml"][stage][key] == 4  # type: ignore[index]
    project.set(f"{stage}.{key}", "5")
    assert f"Stage '{stage}' is cached - skipping run" in project.run(*REPRO).stdout


def test_an_input_changed_before_dvc_writes_it_down(project: Project) -> None:
    spec = project.folder / "dvc.yaml"
    deps = "    deps: [out/ingest/, raw]\n"
    spec.write_text(spec.read_text().replace("    deps: [out/ingest/]\n", deps))
    (project.folder / "raw").mkdir()
    (project.folder / "raw/one.csv").write_text("image,label\n")
    _edit_after_the_stage(project, "fine_tune", "raw/one.csv", "label", "another")
    refused = project.run(*RUN, check=False)
    assert refused.returncode == 2
    assert "fine_tune: raw was changed at the moment" in refused.stderr
    assert set(_lock(project)) == {"ingest"}
    assert _rates(project) == []


def test_params_edited_after_dvc_filled_its_templates_with_them(project: Project) -> None:
    spec = project.folder / "dvc.yaml"
    edit = "sed -i 's/strategy. auto /strategy: none /' params.yaml && python -m small.fine_tune"
    text = spec.read_text().replace("python -m small.fine_tune", f'"{edit}"')
    deps = '    deps: [out/ingest/, "small/by_${rebalance.strategy}.py"]\n'
    spec.write_text(text.replace("    deps: [out/ingest/]\n", deps))
    for name in ("auto", "none"):
        (project.folder / f"small/by_{name}.py").write_text(name)
    project.run("dvc", "repro", "ingest")
    refused = project.run("dvc", "repro", "--single-item", "fine_tune", check=False)
    assert refused.returncode == 255
    said = "params.yaml was edited after DVC had read it, for which small/by_none.py is no input"
    assert said in refused.stderr
    assert set(_lock(project)) == {"ingest"}
    project.run("dvc", "repro", "--single-item", "fine_tune")
    assert set(_lock(project)) == {"ingest", "fine_tune"}


def test_what_dvc_wrote_down_wrongly_is_not_published(project: Project) -> None:
    project.set("evaluate.calibration_bins", "5")
    edit = ("params.yaml", "  calibration_bins: 5", "  calibration_bins: 4")
    _edit_after_the_stage(project, "evaluate", *edit)
    project.run(*REPRO)
    refused = project.run("python", "-m", "thawline.cli", "publish", check=False)
    assert refused.returncode == 2
    assert "evaluate.calibration_bins was edited from 5 to 4 at the moment" in refused.stderr
    assert set(_lock(project)) == {"ingest", "fine_tune"}
