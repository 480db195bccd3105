"""A small real project: git, DVC, three stages that use tracking, and a real MLflow store."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import mlflow
import pytest

from tests import colours
from thawline.tracking import server

REPOSITORY = Path(__file__).resolve().parents[2]

STAGE = """\
import json, os, signal, sys, time
from pathlib import Path
from thawline.pipeline import stage_main
from thawline.errors import UserError

def main(params, run):
    run.require()
    p = getattr(params, {section!r})
    Path("out/{name}").mkdir(parents=True, exist_ok=True)
    Path("reports/{name}").mkdir(parents=True, exist_ok=True)
    run.dataset("digits", "0" * 32, "scikit-learn", {{"images": 10}}, "training")
    for epoch in range(3):
        run.metrics({{"loss": 1 / (epoch + 1), "odd": float("inf")}}, step=epoch)
    mode = Path("mode-{name}").read_text() if Path("mode-{name}").exists() else ""
    if mode.startswith("refuse"):
        raise UserError("params.yaml: {section}.x: 3 is not allowed")
    if mode.startswith("crash"):
        raise ValueError("something broke")
    if mode.startswith("pause"):
        Path(os.environ["MARK"]).write_text(str(os.getpid()))
        while not Path("go").exists():
            time.sleep(0.1)
        run.metrics({{"loss": 0.1}}, step=3)
    if mode.startswith("sleep"):
        Path(os.environ["MARK"]).write_text(str(os.getpid()))
        time.sleep(60)
    text = json.dumps(p.model_dump(), default=str) + {needs!r}
    text += "".join(path.read_text() for path in sorted(Path({needs!r}).glob("*.txt")))
    Path("out/{name}/a b.txt").write_text(text)
    Path("out/{name}/deep").mkdir(exist_ok=True)
    Path("out/{name}/deep/c.txt").write_text("c")
    Path("reports/{name}/metrics.json").write_text(json.dumps({{"fine_tune": {{"accuracy": 0.5}}}}))
    Path("reports/{name}/report.md").write_text("# report")
    run.artifact(Path("reports/{name}/report.md"), "made")

if __name__ == "__main__":
    stage_main.run({name!r}, main)
"""
STAGES = {"ingest": "nothing", "fine_tune": "out/ingest", "evaluate": "out/fine_tune"}


@pytest.fixture(autouse=True)
def registry_of_no_other_test() -> Iterator[None]:
    """What publishes in this process names its registry to MLflow, which keeps it for all, and in
    the environment for the processes that are started.
    """
    yield
    mlflow.set_registry_uri("")
    os.environ.pop("MLFLOW_REGISTRY_URI", None)


DVC = """\
stages:
  ingest:
    cmd: python -m small.ingest
    params: [ingest]
    outs: [out/ingest/]
    metrics: [{reports/ingest/metrics.json: {cache: false}}]
  fine_tune:
    cmd: python -m small.fine_tune
    deps: [out/ingest/]
    params: [fine_tune]
    outs: [out/fine_tune/]
    metrics: [{reports/fine_tune/metrics.json: {cache: false}}]
  evaluate:
    cmd: python -m small.evaluate
    deps: [out/fine_tune/]
    params: [evaluate]
    outs: [out/evaluate/, {reports/evaluate/report.md: {cache: false}}]
    metrics: [{reports/evaluate/metrics.json: {cache: false}}]
"""


class Project:
    """Runs commands in the small project, with a clean environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        dropped = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "DVC_ROOT", "THAWLINE_TRACKING")
        self.env = {key: value for key, value in os.environ.items() if key not in dropped}
        bin_folder = str(Path(sys.executable).parent)
        self.env |= {
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "MARK": str(folder / ".mark"),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    def run(
        self, *command: str, env: Mapping[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.folder, env=self.env | dict(env or {}), capture_output=True, text=True
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def python(self, code: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-c", code, **kwargs)  # type: ignore[arg-type]

    def thawline_run(self, **kwargs: object) -> subprocess.CompletedProcess[str]:
        code = "import sys; from thawline.pipeline.run import run; sys.exit(run())"
        return self.python(code, **kwargs)

    def popen(self, *command: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.env | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def set(self, key: str, value: str) -> None:
        path = self.folder / "params.yaml"
        section, name = key.split(".")
        lines, inside = [], False
        for line in path.read_text().splitlines():
            inside = line.startswith(f"{section}:") or (inside and line.startswith(" "))
            lines.append(f"  {name}: {value}" if inside and line.startswith(f"  {name}:") else line)
        path.write_text("\n".join(lines) + "\n")

    def make_network(self, remote: Path) -> None:
        """Let `ingest` make a network that can be published, and commit that, with a DVC remote."""
        colours.write_images(self.folder / "raw", ["train", "val", "test"] * 10)
        colours.write(self.folder / "net")
        self._replace("small/ingest.py", "    run.require()\n", (
            "    run.require()\n    import shutil\n"
            "    shutil.copytree('raw', 'data/ingest', dirs_exist_ok=True)\n"
            "    shutil.copytree('net', 'models/compress', dirs_exist_ok=True)\n"
            "    open('models/compress/note', 'w').write(str(params.ingest.val_ratio))\n"
        ))  # fmt: skip
        self._replace("dvc.yaml", "[out/ingest/]", "[out/ingest/, data/ingest, models/compress]")
        with (self.folder / ".gitignore").open("a") as ignored:
            ignored.write("/out\n/data/ingest\n/models\n/reports/*/report.md\n/reports/publish\n")
        self.run("dvc", "remote", "add", "--default", "near", str(remote))
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "models")

    def _replace(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        path.write_text(path.read_text().replace(old, new, 1))

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"


class Server:
    """A real MLflow server on loopback that can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        words = server.command(f"sqlite:///{self._folder / 'server.db'}", self.port)
        words[words.index("--artifacts-destination") + 1] = (self._folder / "artifacts").as_uri()
        self._process = subprocess.Popen(
            words,
            env=server.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.2)
        raise TimeoutError(self.uri)

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def mlflow_server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make(tmp_path)


def make(parent: Path) -> Project:
    """The small project in a folder of its own."""
    # No "#" and plain ASCII: `dvc exp run --temp` fails on both (dvc 3.67), `dvc repro` does not.
    folder = parent / "a project's 1"
    (folder / "small").mkdir(parents=True)
    for name, needs in STAGES.items():
        text = STAGE.format(name=name, section=name, needs=needs)
        (folder / "small" / f"{name}.py").write_text(text)
    (folder / "dvc.yaml").write_text(DVC)
    (folder / "data").mkdir()
    (folder / "data/none").write_text("named by params.yaml\n")
    (folder / "data/label_fixes.csv").write_text("image,label,was\n")
    (folder / "data/holdout.csv").write_text("image,sha256\n")
    (folder / "params.yaml").write_text((REPOSITORY / "params.yaml").read_text())
    (folder / ".gitignore").write_text(".thawline\nmlflow.db\nmlartifacts\n__pycache__\n/mode-*\n")
    made = Project(folder)
    made.run("git", "init", "-q", "-b", "main")
    made.run("git", "config", "user.name", "a")
    made.run("git", "config", "user.email", "a@b")
    made.run("dvc", "init", "-q", env={"DVC_NO_ANALYTICS": "1"})
    made.run("dvc", "config", "core.analytics", "false")
    made.run("dvc", "config", "core.check_update", "false")
    made.run("git", "add", "-A")
    made.run("git", "commit", "-qm", "start")
    return made
