"""A real project to run the pipeline in: the repository's files, its own params made small."""

import io
import json
import operator
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import psutil
from mlflow import MlflowClient
from mlflow.entities import Run
from ruamel.yaml import YAML

REPOSITORY = Path(__file__).resolve().parents[2]
CHAIN = ("ingest", "rebalance", "augment", "transfer_learn", "fine_tune", "compress", "evaluate")
"""Each of these needs those before it."""
STAGES = ("ingest", "pictures", *CHAIN[1:])
"""In the order in which DVC runs them, but `code`, which makes no result."""
SMALL = {
    "ingest.image_size_px": 32,
    "rebalance.strategy": "undersample",
    "augment.views": 1,
    "transfer_learn.epochs": 1,
    "fine_tune.epochs": 1,
    "compress.check_images": 16,
    "compress.quantize.calibration_images": 8,
    "compress.quantize.max_drop": 1.0,
    "evaluate.bootstrap_samples": 100,
    "evaluate.latency_repeats": 50,
}
"""A whole run in well under a minute; the accuracy is of no interest."""
MEASURED = (
    "reports/evaluate/speed.json", "reports/evaluate/report.md", "reports/evaluate/report.html",
)  # fmt: skip
"""Outputs that differ from run to run."""
_OURS = ("THAWLINE_", "MLFLOW_", "DVC_", "PREFECT_", "GIT_")
_GENERATED = ("dvc.lock", "reports/", "build/")

Done = subprocess.CompletedProcess[str]


class Project:
    """Runs commands in a project folder, on that folder's code and in a clean environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first: Done | None = None
        """The first `dvc repro`, where there was one."""

    @property
    def env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
        return kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            # Else DVC keeps a folder for each project under /var/tmp for ever.
            "DVC_SITE_CACHE_DIR": str(self.folder.parent / "site-cache"),
        }

    def run(
        self,
        *command: str,
        code: int | None = 0,
        env: Mapping[str, str] | None = None,
        umask: int = 0o022,
    ) -> Done:
        """Run a command to its end; code None allows any exit code."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.env | dict(env or {}),
            capture_output=True,
            text=True,
            umask=umask,
        )
        assert code in (None, done.returncode), f"{done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def start(self, *command: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command whose output goes to `.thawline/output`, in a session of its own."""
        self.output_file.parent.mkdir(exist_ok=True)
        with self.output_file.open("w") as output:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.env | {"PYTHONUNBUFFERED": "1"} | dict(env or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output_file(self) -> Path:
        return self.folder / ".thawline" / "output"

    def set(self, **values: Any) -> None:
        """Edit params.yaml; `fine_tune__epochs=2` is the key fine_tune.epochs."""
        self.set_params({key.replace("__", "."): value for key, value in values.items()})

    def set_params(self, values: Mapping[str, Any]) -> None:
        (self.folder / "params.yaml").write_text(self.edited_params(values), encoding="utf-8")

    def edited_params(self, values: Mapping[str, Any]) -> str:
        """What params.yaml is with some values by their dotted keys."""
        yaml, text = YAML(), io.StringIO()
        content = yaml.load((self.folder / "params.yaml").read_text(encoding="utf-8"))
        for dotted, value in values.items():
            *sections, key = dotted.split(".")
            section = reduce(operator.getitem, sections, content)
            assert key in section, f"{dotted} is no key of params.yaml"
            section[key] = value
        yaml.dump(content, text)
        return text.getvalue()

    def copy(self, folder: Path) -> "Project":
        """The whole folder with DVC's cache and the MLflow store, without DVC's locks."""
        shutil.copytree(self.folder, folder, symlinks=True, ignore=_dvc_tmp)
        return Project(folder)

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def hashes(self) -> dict[str, str]:
        """Path to hash in dvc.lock of every output but the measured ones."""
        found = [out for stage in self.lock().values() for out in stage.get("outs", [])]
        return {out["path"]: out["md5"] for out in found if out["path"] not in MEASURED}

    def lock(self) -> dict[str, Any]:
        stages: dict[str, Any] = self.yaml("dvc.lock")["stages"]
        return stages

    def yaml(self, name: str) -> Any:
        return YAML(typ="safe").load((self.folder / name).read_text(encoding="utf-8"))

    def metric(self, checkpoint: str, name: str) -> float:
        text = (self.folder / "reports/evaluate/metrics.json").read_text(encoding="utf-8")
        return float(json.loads(text)[checkpoint][name])

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")

    def runs(self, role: str) -> list[Run]:
        """`pipeline` (parents) or `stage` runs of the experiment, oldest first."""
        found = self.client.get_experiment_by_name("thawline")
        if found is None:
            return []
        query = f"tags.`thawline.role` = '{role}'"
        return list(
            self.client.search_runs([found.experiment_id], query, order_by=["start_time ASC"])
        )

    def files(self) -> dict[str, bytes]:
        """Content of everything that a run may leave behind, scratch and caches aside."""
        aside = {".thawline", ".git", ".dvc", "__pycache__", "mlartifacts"}
        paths = [p for p in self.folder.rglob("*") if p.is_file()]
        kept = [p for p in paths if not aside & set(p.relative_to(self.folder).parts)]
        return {
            p.relative_to(self.folder).as_posix(): p.read_bytes()
            for p in kept
            if p.name != "mlflow.db"
        }

    def left_over(self) -> list[list[str]]:
        """Command lines of the living processes that work in the folder."""
        return [words for _, words in self.processes()]

    def end(self) -> None:
        """Kill whatever still works in the folder."""
        for process, _ in self.processes():
            process.kill()

    def processes(self) -> Iterator[tuple[psutil.Process, list[str]]]:
        """Living processes that work in the folder, with their command lines."""
        for process in psutil.process_iter():
            try:
                inside = Path(process.cwd()).is_relative_to(self.folder)
                words = process.cmdline()  # of a zombie: none
                if inside and words:
                    yield process, words
            except (psutil.Error, OSError):
                continue


def _dvc_tmp(folder: str, names: list[str]) -> set[str]:
    return {"tmp"} & set(names) if Path(folder).name == ".dvc" else set()


def told(done: Done) -> list[str]:
    """Lines of standard error but the warning of an old Python."""
    return [line for line in done.stderr.splitlines() if "lacks corrections to the" not in line]


def ran(done: Done) -> list[str]:
    """Stages that DVC really ran, but `code`."""
    return [name for name in begun(done) if name != "code"]


def begun(done: Done) -> list[str]:
    """Stages that DVC really ran."""
    word = "Running stage '"
    return [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith(word)]


def restored(done: Done) -> list[str]:
    """Stages that DVC took from its run cache."""
    return [name for name in STAGES if f"Stage '{name}' is cached - skipping run" in done.stdout]


def wait_for(condition: Callable[[], object], seconds: float, what: str = "") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain {what}"
        time.sleep(0.1)


def make(folder: Path, params: Mapping[str, Any] = SMALL) -> Project:
    """The repository's tracked and new files as a git repository of its own, with some params."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    for name in sorted(set(listed.split("\0")) - {""}):
        source, target = REPOSITORY / name, folder / name
        if source.is_file() and not name.startswith(_GENERATED):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    project = Project(folder)
    project.set_params(params)
    project.run("git", "init", "--quiet", "--initial-branch", "main")
    project.run("git", "config", "user.name", "Somebody")
    project.run("git", "config", "user.email", "somebody@example.org")
    project.commit("Start")
    return project
