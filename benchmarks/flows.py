"""What Prefect adds to a run, a retraining with nothing to do, and trials on two workers.

    python -m benchmarks.flows overhead    # with nothing to do, medians of five; five minutes
    python -m benchmarks.flows training    # with new params each time: every stage but three runs
    python -m benchmarks.flows trials      # 20 trials, on one worker and on two

In a project of its own, scanned digits with the smallest networks and a single epoch.
"""

import itertools
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thawline.flows import server
from thawline.params import edit, params_file

_ROUNDS = 5
_TURNS = itertools.count(1)
Commands = Mapping[str, tuple[str, Mapping[str, str]]]
"""By its name a command's module with its words, and what it finds in its environment."""
_SMALL: dict[str, Any] = {
    "ingest.image_size_px": 32,
    "rebalance.strategy": "undersample",
    "augment.views": 1,
    "training.threads": 1,
    "transfer_learn.epochs": 1,
    "fine_tune.epochs": 1,
    "evaluate.bootstrap_samples": 100,
    "evaluate.latency_repeats": 50,
}
_STUDY = """\
claim: A rate matters.
question: Does it here?
base: {}
axes:
  - transfer_learn.learning_rate: [0.001, 0.003, 0.01, 0.03]
seeds: [0, 1, 2, 3, 4]
measure: transfer_learn.val_macro_f1
smallest_effect: 0.02
comparisons:
  - {says: more is better, baseline: "0.001", contenders: ["0.03"], expect: better}
"""


def overhead() -> None:
    _compare(lambda running: {
        "thawline run": ("thawline.cli run", {}),
        "flow, own server": ("thawline.flows.pipeline", {}),
        "flow, running server": ("thawline.flows.pipeline", running),
        "retraining, own server": ("thawline.flows.retrain", {}),
        "retraining, running server": ("thawline.flows.retrain", running),
    })  # fmt: skip


def training() -> None:
    _compare(
        lambda running: {
            "thawline run": ("thawline.cli run", {}),
            "flow, own server": ("thawline.flows.pipeline", {}),
            "flow, running server": ("thawline.flows.pipeline", running),
        },
        before=_another_rate,
    )


def _compare(
    commands: Callable[[Mapping[str, str]], Commands],
    before: Callable[[Path], None] = lambda _: None,
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        project = make_project(Path(scratch) / "digits", _SMALL)
        run(project, "thawline.cli", "run")
        run(project, "thawline.cli", "publish")
        with prefect_server(Path(scratch) / "prefect") as api:
            taken = timed(project, commands({"PREFECT_API_URL": api}), before)
    for name, seconds in taken.items():
        more = [s - plain for s, plain in zip(seconds, taken["thawline run"], strict=True)]
        spread = f"{min(seconds):.1f} to {max(seconds):.1f}"
        added = f", more than thawline run: {statistics.median(more):.1f} s"
        print(f"{name}: {statistics.median(seconds):.1f} s ({spread}){added}")


def timed(
    project: Path, commands: Commands, before: Callable[[Path], None]
) -> dict[str, list[float]]:
    """Seconds of each command, in turns, since a shared machine changes its speed."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(_ROUNDS + 1):
        for name, (words, env) in commands.items():
            before(project)
            began = time.perf_counter()
            run(project, *words.split(), env=env)
            if number:  # the first one makes databases and caches
                taken[name].append(time.perf_counter() - began)
    return taken


def trials() -> None:
    taken = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as scratch:
            project = make_project(Path(scratch) / "digits", _SMALL)
            (project / "tiny.yaml").write_text(_STUDY, encoding="utf-8")
            with prefect_server(Path(scratch) / "prefect") as api:
                began = time.perf_counter()
                said = run(
                    project, "thawline.flows.study", "tiny.yaml", "--workers", str(workers),
                    env={"PREFECT_API_URL": api},
                )  # fmt: skip
                taken[workers] = time.perf_counter() - began
            assert "tiny: 20 trials complete" in said, said[-2000:]
            print(f"{workers} worker(s): {taken[workers]:.0f} s", flush=True)
    print(f"two are {taken[1] / taken[2]:.2f} times as fast as one")


def make_project(folder: Path, values: Mapping[str, Any]) -> Path:
    """A project of one's own, with these values of params.yaml by their dotted keys."""
    run(folder.parent, "thawline.cli", "init", str(folder))
    edit.set_values(values, folder / params_file.FILE)
    git = ("git", "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qam", "Start")
    subprocess.run(git, cwd=folder, check=True)
    return folder


def _another_rate(project: Path) -> None:
    rate = 0.01 + next(_TURNS) * 1e-5
    edit.set_values({"transfer_learn.learning_rate": rate}, project / params_file.FILE)


def run(folder: Path, module: str, *words: str, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *words], cwd=folder, env=_environment() | dict(env or {}),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def prefect_server(home: Path) -> Iterator[str]:
    port = server.free_port()
    words = ["server", "start", "--host", server.HOST, "--port", str(port), "--no-ui"]
    env = _environment() | {"PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", *words], env=env, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    api = f"http://{server.HOST}:{port}/api"
    try:
        while not server.answers(api):
            time.sleep(0.5)
        yield api
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _environment() -> dict[str, str]:
    ours = ("THAWLINE_", "MLFLOW_", "PREFECT_", "DVC_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return kept | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}


if __name__ == "__main__":
    {"overhead": overhead, "training": training, "trials": trials}[sys.argv[1]]()
