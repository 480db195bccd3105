"""`thawline init` on an installed wheel: a project without a fork, whose code is a dependency."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.project import REPOSITORY, SMALL, Project, ran

pytestmark = pytest.mark.slow
DVC = ("python", "-m", "dvc")


class Own(Project):
    """A project that runs on the package of a virtual environment."""

    def __init__(self, folder: Path, venv: Path) -> None:
        super().__init__(folder)
        self.venv = venv

    @property
    def env(self) -> dict[str, str]:
        path = f"{self.venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
        env = super().env | {"PATH": path, "THAWLINE_TRACKING": "off"}
        del env["PYTHONPATH"]
        return env

    @property
    def package(self) -> Path:
        return next(self.venv.glob("lib/*/site-packages/thawline"))


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the wheel installed, and the test's own environment behind it for everything else."""
    base = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", str(REPOSITORY), "--no-deps", "--no-build-isolation", "-w", str(base)]
    subprocess.run(build, check=True, cwd=base)
    venv = base / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = next(venv.glob("lib/*/site-packages"))
    (site / "behind.pth").write_text(sysconfig.get_path("purelib") + "\n")
    wheel = next(base.glob("*.whl"))
    # Else a PYTHONPATH that has the package counts as an installation.
    force = ["install", "--no-deps", "--ignore-installed", str(wheel)]
    python = ["--python", str(venv / "bin/python"), *force]
    subprocess.run([*pip, *python], check=True)
    return venv


@pytest.fixture(scope="module")
def own(venv: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    folder = tmp_path_factory.mktemp("own") / "leaves"
    project = Own(folder, venv)
    made = Own(folder.parent, venv).run("thawline", "init", str(folder))
    assert "a project; nothing is committed yet" in made.stdout
    project.set_params(SMALL)
    project.run("git", "config", "user.name", "Somebody")
    project.run("git", "config", "user.email", "somebody@example.org")
    project.commit("Start")
    yield project
    project.end()


def test_it_runs_on_the_installed_package_and_then_has_nothing_to_do(own: Own) -> None:
    assert ran(own.run("thawline", "run", "rebalance")) == ["ingest", "rebalance"]
    assert "nothing to do" in own.run("thawline", "run", "rebalance").stdout
    own.commit("First")
    lock = own.lock()["ingest"]["params"]["code.yaml"]
    assert set(lock) == {"stages.ingest", "plugins.ingest.source.digits"}
    assert "nothing to renew" in own.run("thawline", "init", "--upgrade").stdout
    assert own.run("git", "status", "--porcelain").stdout == ""


def test_other_code_is_refused_until_it_is_taken_over_and_then_runs_again(own: Own) -> None:
    edit(own.package / "rebalance/oversample.py")  # not the strategy in use
    refused = own.run("thawline", "run", code=2)
    assert "`thawline init --upgrade` takes it over" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert own.run(*DVC, "repro", "-f", "ingest", code=255).stderr.count("code.yaml: describes")
    own.run("thawline", "init", "--upgrade")
    assert changed(own) == set()
    own.commit("Upgrade")
    edit(own.package / "rebalance/undersample.py")
    own.run("thawline", "init", "--upgrade")
    assert changed(own) == {"rebalance"}
    assert ran(own.run("thawline", "run", "rebalance")) == ["rebalance"]
    own.commit("Upgrade")


def test_code_that_no_result_depends_on_needs_no_upgrade(own: Own) -> None:
    own.run("thawline", "run", "rebalance")
    edit(own.package / "cli/results.py")
    assert "nothing to do" in own.run("thawline", "run", "rebalance").stdout


def test_an_upgrade_keeps_values_and_edits(own: Own) -> None:
    """With a key that is new, one that is gone, and a stage of the user's own."""
    shipped = next(own.venv.glob("share/thawline/params.yaml"))
    shipped.write_text(shipped.read_text().replace("\n  views:", "\n  # Of these:\n  views:"))
    own_params = own.folder / "params.yaml"
    lines = own_params.read_text().splitlines(keepends=True)
    removed = [line for line in lines if not line.startswith("  minority:")]
    own_params.write_text("".join(removed).replace("  views: 1", "  views: 1\n  old: 7"))
    edit(own.folder / "dvc.yaml")
    own.commit("Edits")
    said = own.run("thawline", "init", "--upgrade").stdout
    assert "new keys, with the package's values: augment.minority" in said
    assert "keys that were removed: augment.old" in said
    assert own.yaml("params.yaml")["augment"]["views"] == 1
    assert "# Of these:" in own_params.read_text()
    assert (own.folder / "dvc.yaml.new").is_file() == ("dvc.yaml" in said)
    own.run("thawline", "check")


def changed(own: Own) -> set[str]:
    """Stages among the first two whose code differs from that of their last run."""
    status = json.loads(own.run(*DVC, "status", "--json", "ingest", "rebalance").stdout)
    return {name for name in status if "code.yaml" in json.dumps(status[name])}


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "# edited\n")
