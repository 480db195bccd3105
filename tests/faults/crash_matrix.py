"""`python -m tests.faults.crash_matrix`: each stage is killed at seeded moments and run again.

Makes a small project, runs it undisturbed, then for each stage and point: `kill -9` of the stage
after a share of its undisturbed duration, `dvc repro`, and a comparison. Prints a table; exit code
1 when anything failed. With 5 points a stage it takes about ten minutes on 2 cores.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.pipeline.project import STAGES, Project, make, wait_for


@dataclass(frozen=True)
class Outcome:
    """One kill; `problem` is empty when everything was as it should be."""

    stage: str
    share: float
    reached: str
    problem: str


def kill(project: Project, stage: str, share: float, seconds: float) -> Outcome:
    """Kill the stage at a share of its duration, run `dvc repro`, compare.

    Args:
        project: one whose last `dvc repro` was undisturbed; used up.
        seconds: that the stage took then.
    """
    expected = project.hashes()
    # Without the run cache, which would only copy the outputs of the undisturbed run.
    dvc = project.start("dvc", "repro", "--force", "--single-item", "--no-run-cache", stage)
    wait_for(lambda: _processes(dvc.pid, stage) or dvc.poll() is not None, 120, "for the stage")
    time.sleep(share * seconds)
    at_work = _processes(dvc.pid, stage)
    for process in at_work:
        process.kill()
    dvc.wait()
    again = project.run("dvc", "repro", "--no-run-cache", code=None)
    wait_for(lambda: not project.left_over(), 60, "for what still runs")
    reached = "killed" if at_work else "had ended"
    return Outcome(stage, share, reached, _problem(project, expected, again.returncode))


def durations(project: Project) -> dict[str, float]:
    """Seconds of each stage in the newest execution, from its MLflow runs."""
    runs = {run.data.tags["thawline.stage"]: run.info for run in project.runs("stage")}
    return {name: (runs[name].end_time - runs[name].start_time) / 1000 for name in STAGES}


def points(stage: str, number: int, seed: int) -> list[float]:
    """Shares of a stage's duration, one in each of `number` equal parts."""
    chance = random.Random(f"{seed} {stage}")
    return [(part + chance.random()) / number for part in range(number)]


def _processes(pid: int, stage: str) -> list[psutil.Process]:
    try:
        children = psutil.Process(pid).children(recursive=True)
        return [p for p in children if p.cmdline()[-2:] == ["-m", f"stages.{stage}"]]
    except psutil.Error:
        return []


def _problem(project: Project, expected: dict[str, str], code: int) -> str:
    if code:
        return f"dvc repro ended with {code}"
    different = sorted(p for p, md5 in project.hashes().items() if md5 != expected.get(p))
    if different:
        return f"other hashes: {', '.join(different)}"
    runs = [*project.runs("pipeline"), *project.runs("stage")]
    running = [run.info.run_id for run in runs if run.info.status == "RUNNING"]
    return f"RUNNING: {', '.join(running)}" if running else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    asked = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        built = make(Path(folder) / "a project")
        built.run("dvc", "repro")
        built.commit("Results")
        seconds = durations(built)
        for stage in asked.stages:
            for number, share in enumerate(points(stage, asked.points, asked.seed)):
                copy = built.copy(Path(folder) / f"{stage} {number}")
                found = kill(copy, stage, share, seconds[stage])
                copy.end()
                shutil.rmtree(copy.folder)
                failed += bool(found.problem)
                said = found.problem or "same hashes"
                print(f"{stage:<15} {share:5.0%}  {found.reached:<9}  {said}", flush=True)
    print(f"{len(asked.stages) * asked.points} kills, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
