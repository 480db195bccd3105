"""`kill -9` of a stage, and of a process that decodes images for it."""

import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests import colours
from tests.faults.judging import Known, Outcome, forget, hashes, up_to, workers
from tests.pipeline.project import Project, wait_for
from thawline.errors import ChildDiedError

STAGE, WORKER = "stage killed", "worker killed"
_SAYS = "a process that decodes images was killed (SIGKILL)"
_WITHIN_S = 20.0
"""From the kill to the end of all, on a machine that is busy otherwise; a hang is for ever."""


def stage(project: Project, name: str, share: float, seconds: float, known: Known) -> Outcome:
    """Kill the stage at a share of its duration, run `dvc repro`, compare.

    Args:
        project: one whose last `dvc repro` was undisturbed; used up.
        seconds: that the stage took then.
    """
    expected = project.hashes()
    # Without the run cache, which would only copy the outputs of the undisturbed run.
    dvc = project.start("dvc", "repro", "--force", "--single-item", "--no-run-cache", name)
    wait_for(lambda: _begun(dvc.pid, name) or dvc.poll() is not None, 120, "for the stage")
    time.sleep(share * seconds)
    found = _begun(dvc.pid, name)
    for process in found:
        process.kill()
    dvc.wait()
    again = project.run("dvc", "repro", "--no-run-cache", code=None)
    reached = "killed" if found else "had ended"
    problem = f"dvc repro ended with {again.returncode}" if again.returncode else ""
    problem = problem or different(expected, project.hashes()) or known.problem(project)
    return Outcome(STAGE, name, share, reached, problem)


def worker(project: Project, share: float, seconds: float, known: Known) -> Outcome:
    """Kill one that decodes for `ingest` at a share of the time that decoding takes.

    Args:
        project: of many images, whose last run was undisturbed; used up.
        seconds: that decoding took then.
    """
    expected = hashes(project, up_to("ingest"))
    forget(project, "ingest")
    run = project.start(sys.executable, "-m", "thawline.cli", "run", "ingest")
    wait_for(lambda: workers(project, "ingest") or run.poll() is not None, 120, "for a worker")
    time.sleep(share * seconds)
    found = workers(project, "ingest")
    began = time.monotonic()
    reached = _kill(found, share)
    code = run.wait(120)
    took = time.monotonic() - began
    problem = ""
    if reached and (found := _refusal(code, project.output_file.read_text(), took)):
        problem = found
    elif reached and "ingest" in project.lock():
        problem = "dvc.lock: a result of a stage that failed"
    again = project.run("dvc", "repro", "ingest", code=None)
    if again.returncode:
        problem = problem or f"dvc repro ended with {again.returncode}"
    problem = problem or different(expected, hashes(project, up_to("ingest")))
    problem = problem or known.problem(project)
    return Outcome(WORKER, "ingest", share, reached or "had ended", problem)


def predicting(project: Project, share: float, images: Path) -> Outcome:
    """The same of `thawline predict` on a folder, whose answers go to standard output."""
    model = project.folder / "colours"
    if not model.exists():
        colours.write(model)
    words = [sys.executable, "-m", "thawline.cli", "predict", str(images), "--model", str(model)]
    words.append("--csv")
    began = time.monotonic()
    expected = project.run(*words).stdout
    seconds = time.monotonic() - began
    run = subprocess.Popen(
        words, cwd=project.folder, env=project.env, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    children = psutil.Process(run.pid).children
    wait_for(lambda: children() or run.poll() is not None, 60, "for a worker")
    time.sleep(share * seconds / 2)  # the first half was spent on loading
    found = children() if run.poll() is None else []
    began = time.monotonic()
    reached = _kill(found, share)
    _, errors = run.communicate(timeout=120)
    took = time.monotonic() - began
    problem = _refusal(run.returncode, errors, took) if reached else ""
    if not problem and project.run(*words).stdout != expected:
        problem = "other answers afterwards"
    if not problem and project.left_over():
        problem = f"left over: {project.left_over()}"
    return Outcome(WORKER, "predict", share, reached or "had ended", problem)


def different(expected: dict[str, str], found: dict[str, str]) -> str:
    """List outputs whose hashes differ, or are there on one side only."""
    paths = sorted(p for p in {**expected, **found} if expected.get(p) != found.get(p))
    return f"other hashes: {', '.join(paths)}" if paths else ""


def decoding_s(project: Project) -> float:
    """Seconds for which `ingest` has processes that decode, in an undisturbed run."""
    forget(project, "ingest")
    run = project.start("dvc", "repro", "ingest")
    wait_for(lambda: workers(project, "ingest") or run.poll() is not None, 120, "for a worker")
    began = time.monotonic()
    assert run.poll() is None, "ingest has no workers"
    wait_for(lambda: not workers(project, "ingest"), 300, "for the end of decoding")
    took = time.monotonic() - began
    assert run.wait(300) == 0, project.output_file.read_text()
    return took


def _kill(found: list[psutil.Process], share: float) -> str:
    """One of them; empty where there was none any more."""
    if not found:
        return ""
    try:
        found[int(share * 97) % len(found)].kill()
    except psutil.NoSuchProcess:
        return ""
    return "killed"


def _refusal(code: int, output: str, took: float) -> str:
    if code == 0:
        return ""  # it had done its last image
    lines = [line for line in output.splitlines() if _SAYS in line]
    if code != ChildDiedError.exit_code:
        return f"exit code {code}: {output.splitlines()[-1:]}"
    if not lines or "Traceback" in output:
        return f"no message, or a traceback: {output.splitlines()[-3:]}"
    return f"{took:.0f} s until it ended" if took > _WITHIN_S else ""


def _begun(pid: int, name: str) -> list[psutil.Process]:
    try:
        children = psutil.Process(pid).children(recursive=True)
        return [p for p in children if p.cmdline()[-2:] == ["-m", f"stages.{name}"]]
    except psutil.Error:
        return []
