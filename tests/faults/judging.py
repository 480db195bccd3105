"""Whether all that a project has recorded is true, by what undisturbed runs recorded."""

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
from ruamel.yaml import YAML

from tests.pipeline.project import CHAIN, MEASURED, Project, wait_for

_ENDS_S = 60


@dataclass(frozen=True)
class Outcome:
    """One fault; `problem` is empty when everything was as it should be."""

    fault: str
    stage: str
    share: float
    reached: str
    problem: str


class Known:
    """What results are made of -> hashes of the results, from runs that nothing disturbed."""

    def __init__(self, *undisturbed: Project) -> None:
        self._outs: dict[str, dict[str, str]] = {}
        for project in undisturbed:
            self.learn(project)

    def learn(self, project: Project) -> None:
        self._outs |= {origin: outs for _, origin, outs in entries(project)}

    def problem(self, project: Project) -> str:
        """Say what is untrue, what MLflow takes for running, and which process is left; empty where
        there is nothing.
        """
        if found := self.untrue(project):
            return found
        try:
            wait_for(lambda: not project.left_over(), _ENDS_S, "for what still runs")
        except AssertionError:
            return f"left over: {project.left_over()}"
        runs = [*project.runs("pipeline"), *project.runs("stage")]
        running = [run.info.run_id for run in runs if run.info.status == "RUNNING"]
        return f"RUNNING: {', '.join(running)}" if running else ""

    def untrue(self, project: Project) -> str:
        """Say what is untrue in dvc.lock or DVC's run cache."""
        for where, origin, outs in entries(project):
            if origin not in self._outs:
                return f"{where}: made of what nothing was made of: {origin}"
            if outs != self._outs[origin]:
                return f"{where}: not what comes of {origin}"
        return ""


def entries(project: Project) -> Iterator[tuple[str, str, dict[str, str]]]:
    """List what dvc.lock and the run cache record.

    Returns:
        Where it stands; command, inputs and params as a text; path -> hash of the outputs.
    """
    lock = project.folder / "dvc.lock"
    for stage, entry in (project.lock() if lock.is_file() else {}).items():
        yield f"dvc.lock: {stage}", *_read(entry)
    for file in sorted((project.folder / ".dvc/cache/runs").glob("*/*/*")):
        entry = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
        yield f"run cache: {entry['cmd']}", *_read(entry)


def _read(entry: dict[str, Any]) -> tuple[str, dict[str, str]]:
    deps = {dep["path"]: dep.get("md5") for dep in entry.get("deps", [])}
    origin = json.dumps([entry["cmd"], deps, entry.get("params")], sort_keys=True)
    outs = {out["path"]: out["md5"] for out in entry.get("outs", [])}
    return origin, {path: md5 for path, md5 in outs.items() if path not in MEASURED}


def hashes(project: Project, stages: tuple[str, ...]) -> dict[str, str]:
    """Path to hash of all that these stages have made, measured outputs aside."""
    lock = project.lock()
    outs = [out for name in stages for out in lock.get(name, {}).get("outs", [])]
    return {out["path"]: out["md5"] for out in outs if out["path"] not in MEASURED}


def forget(project: Project, stage: str) -> None:
    """Have a stage and those after it run as if for the first time."""
    shutil.rmtree(project.folder / ".dvc/cache/runs", ignore_errors=True)
    for name in ("packed", "features", "resume"):
        shutil.rmtree(project.folder / ".thawline" / name, ignore_errors=True)
    path = project.folder / "dvc.lock"
    yaml = YAML()
    lock = yaml.load(path.read_text(encoding="utf-8"))
    for name in CHAIN[CHAIN.index(stage) :]:
        lock["stages"].pop(name, None)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(lock, file)


def up_to(stage: str) -> tuple[str, ...]:
    return CHAIN[: CHAIN.index(stage) + 1]


def durations(project: Project) -> dict[str, float]:
    """Seconds of each stage in the newest execution, from its MLflow runs."""
    runs = {run.data.tags["thawline.stage"]: run.info for run in project.runs("stage")}
    return {name: (info.end_time - info.start_time) / 1000 for name, info in runs.items()}


def points(stage: str, number: int, seed: int) -> list[float]:
    """Shares of a stage's duration, one in each of `number` equal parts."""
    chance = random.Random(f"{seed} {stage}")
    return [(part + chance.random()) / number for part in range(number)]


def at_work(project: Project, stage: str) -> list[psutil.Process]:
    """Processes of a stage: what DVC started, its fork with the libraries, and what that forked."""
    found = []
    for process, words in project.processes():
        # A fork that has changed its title may have it in one word, and empty ones behind it.
        is_shell = "-c" in words[:2]
        if not is_shell and " ".join(words).rstrip().endswith(f"-m stages.{stage}"):
            found.append(process)
    return found


def has_begun(project: Project, stage: str) -> bool:
    """Whether the stage is past its start, in which it only loads libraries."""
    for path in (project.folder / ".thawline/executions").glob("*.json"):
        state = json.loads(path.read_text(encoding="utf-8"))
        if state["stages"].get(stage, {}).get("status") == "running":
            return True
    return False


def workers(project: Project, stage: str) -> list[psutil.Process]:
    """Processes that decode images for a stage: forks of its fork."""
    stage_processes = {process.pid for process in at_work(project, stage)}
    found = []
    for process in at_work(project, stage):
        try:
            if process.ppid() in stage_processes:
                found.append(process)
        except psutil.Error:
            continue
    return found
