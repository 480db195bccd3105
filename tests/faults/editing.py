"""Edits of params.yaml while a stage runs, under `dvc repro` and `thawline run`."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.faults.judging import Known, Outcome, at_work, forget, has_begun, hashes, up_to
from tests.faults.killing import different
from tests.pipeline.project import CHAIN, Project, ran, wait_for

OWN, OTHER = "params edited", "others' params edited"
COMMANDS = {"repro": ("dvc", "repro"), "run": (sys.executable, "-m", "thawline.cli", "run")}
EDITS: dict[str, tuple[str, Any]] = {
    "ingest": ("ingest.test_ratio", 0.25),
    "rebalance": ("rebalance.strategy", "oversample"),
    "augment": ("augment.views", 2),
    "transfer_learn": ("transfer_learn.refit", "none"),
    "fine_tune": ("fine_tune.epochs", 2),
    "compress": ("compress.quantize.calibration_images", 12),
    "evaluate": ("evaluate.bootstrap_samples", 150),
}
"""A value of each stage's section that changes what it makes."""
AT_ITS_END = 1.0
"""The share that stands for the moment at which the stage has ended, before DVC writes it down."""


class References:
    """Runs with edited values that nothing disturbed, each once."""

    def __init__(self, built: Project, folder: Path, known: Known) -> None:
        self._built, self._folder, self._known = built, folder, known
        self._found: dict[tuple[str, str], dict[str, str]] = {}

    def hashes(self, edited: str, until: str) -> dict[str, str]:
        """What the stages up to one make where the value of `EDITS[edited]` is the new one."""
        if (edited, until) not in self._found:
            copy = self._built.copy(self._folder / f"with another {edited}, {until}")
            forget(copy, edited)
            copy.set_params(dict([EDITS[edited]]))
            copy.run("dvc", "repro", until)
            self._known.learn(copy)
            self._found[edited, until] = hashes(copy, up_to(until))
            copy.end()
        return self._found[edited, until]


def other(stage: str) -> str:
    """The stage whose value is edited while this one runs: the next, of the last the one before."""
    place = CHAIN.index(stage)
    return CHAIN[place + 1] if place + 1 < len(CHAIN) else CHAIN[place - 1]


def edit(
    project: Project,
    stage: str,
    share: float,
    seconds: float,
    *,
    edited: str,
    command: str,
    early: bool,
    known: Known,
    references: References,
) -> Outcome:
    """Edit a value while the stage runs, then run with the new value and with the old one again.

    Args:
        project: one whose last run was undisturbed; used up.
        seconds: that the stage took then.
        share: of that time, after which the value is edited; 1: as soon as the stage has ended.
        edited: the stage whose value it is.
        command: of `COMMANDS`.
        early: whether the time begins with the process, which loads libraries before it works.
    """
    key, new = EDITS[edited]
    until = max(stage, edited, key=CHAIN.index)
    expected, old = hashes(project, up_to(until)), _value(project, key)
    references.hashes(edited, until)
    forget(project, stage)
    if CHAIN.index(edited) < CHAIN.index(stage):
        forget(project, edited)
        project.run("dvc", "repro", CHAIN[CHAIN.index(stage) - 1])
    text = project.edited_params({key: new})
    run = project.start(*COMMANDS[command], stage)
    _wait(project, stage, run, share, seconds, early)
    beside = project.folder / ".params.yaml"  # as an editor does it: nobody reads half of it
    beside.write_text(text, encoding="utf-8")
    beside.replace(project.folder / "params.yaml")
    code = run.wait(300)
    output = project.output_file.read_text(encoding="utf-8")
    at_end = share == AT_ITS_END
    problem = "" if not code or "was edited" in output else f"{code}: {output.splitlines()[-2:]}"
    problem = problem or known.untrue(project)
    kept = stage if code and "kept for the old value" in output else ""

    def again(wanted: dict[str, str], quick: str) -> str:
        done = project.run("dvc", "repro", until, code=None)
        if done.returncode:
            return f"dvc repro ended with {done.returncode}: {done.stderr.splitlines()[-1:]}"
        if quick in ran(done):
            return f"{quick} ran again with the old value"
        return different(wanted, hashes(project, up_to(until)))

    problem = problem or again(references.hashes(edited, until), "")
    project.set_params({key: old})
    problem = problem or again(expected, kept) or known.problem(project)
    reached = ("at its end, " if at_end else "") + ("refused" if code else "recorded")
    fault = f"{OWN if edited == stage else OTHER} ({command})"
    return Outcome(fault, stage, share, reached, problem)


def _wait(
    project: Project,
    stage: str,
    run: "subprocess.Popen[str]",
    share: float,
    seconds: float,
    early: bool,
) -> None:
    there = at_work if early else has_begun
    wait_for(lambda: there(project, stage) or run.poll() is not None, 120, "for the stage")
    if share < AT_ITS_END:
        time.sleep(share * seconds)
        return
    found = at_work(project, stage)
    while run.poll() is None and any(process.is_running() for process in found):
        time.sleep(0.002)


def _value(project: Project, key: str) -> Any:
    found = project.yaml("params.yaml")
    for part in key.split("."):
        found = found[part]
    return found
