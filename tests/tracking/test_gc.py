"""`thawline gc` on a real DVC repository and MLflow store: what goes, and what nothing may take."""

import re
import sys

import pytest
from mlflow import MlflowClient

from tests import colours
from tests.tracking.conftest import Project

pytestmark = pytest.mark.slow
GC = (sys.executable, "-m", "thawline.cli", "gc")


@pytest.fixture
def used(project: Project) -> Project:
    """Two experiments, one of them tagged, a registered model that is not in git, and scratch."""
    project.run("dvc", "exp", "run", "-q", "-n", "tagged", "-S", "fine_tune.epochs=3")
    project.run("dvc", "exp", "run", "-q", "-n", "plain", "-S", "fine_tune.epochs=4")
    commit = project.run("git", "for-each-ref", "--format=%(objectname)", "refs/exps/*/*/tagged")
    project.run("git", "tag", "best", commit.stdout.strip())
    project.set("fine_tune.epochs", "5")
    project.thawline_run()
    colours.write(project.folder / "models/compress")
    colours.write_images(project.folder / "data/ingest", ["train", "val", "test"] * 10)
    project.python("from thawline.registry.publish import publish; publish()")
    project.set("fine_tune.epochs", "7")
    project.thawline_run()
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "seven")
    for name in ("features/a.features", "resume/b.resume", "staging/c-1/d"):
        path = project.folder / ".thawline" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 10_000)
    return project


def test_young_things_stay(used: Project) -> None:
    before = state(used)
    said = used.run(*GC, "--yes").stdout
    assert "removed, 0.0 MB" in said
    assert state(used) == before


def test_the_rest_goes_when_told_and_what_is_protected_stays(used: Project) -> None:
    before = state(used)
    assert epochs(used, before[2]) == {"3", "4", "5", "7"}
    listed = used.run(*GC, "--older-than", "0").stdout
    assert "nothing was removed" in listed
    assert state(used) == before
    assert re.search(r"DVC: experiments +1 ", listed)
    used.run(*GC, "--older-than", "0", "--yes")
    runs, exps, objects, scratch = state(used)
    assert exps == {"tagged"}
    assert scratch == set()
    assert epochs(used, objects) == {"3", "5", "7"}  # tagged, registered, committed
    trained = [MlflowClient(used.uri).get_run(run).data.params for run in runs]
    assert {p["fine_tune.epochs"] for p in trained if "seed" in p} == {"3", "5", "7"}
    listed = used.run(*GC, "--older-than", "0").stdout
    assert "0.0 MB; nothing was removed" in listed


def epochs(project: Project, objects: set[str]) -> set[str]:
    """Of the trainings whose results are among the objects of DVC's cache."""
    cache = project.folder / ".dvc/cache/files/md5"
    texts = [(cache / name).read_text(errors="replace") for name in objects]
    return {found for text in texts for found in re.findall(r'"epochs": (\d+)', text)}


def test_a_run_in_progress_is_refused(project: Project) -> None:
    code = (
        "import subprocess, sys\n"
        "from thawline.runtime import locks\n"
        "with locks.pipeline():\n"
        f"    sys.exit(subprocess.run({[*GC, '--yes']!r}).returncode)"
    )
    done = project.python(code, check=False)
    assert done.returncode == 2
    assert "in progress" in done.stderr


def state(project: Project) -> tuple[set[str], set[str], set[str], set[str]]:
    client = MlflowClient(project.uri)
    found = client.get_experiment_by_name("thawline")
    assert found is not None
    runs = {run.info.run_id for run in client.search_runs([found.experiment_id])}
    refs = project.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout.split()
    exps = {ref.rsplit("/", 1)[-1] for ref in refs if ref.count("/") == 4}
    cache = project.folder / ".dvc/cache/files/md5"
    objects = {p.relative_to(cache).as_posix() for p in cache.rglob("*") if p.is_file()}
    scratch = project.folder / ".thawline"
    names = ("features", "resume", "staging")
    left = {str(p) for name in names for p in (scratch / name).glob("*")}
    return runs, exps, objects, left
