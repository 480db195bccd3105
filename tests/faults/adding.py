"""An image that comes, goes or changes while `ingest` reads the folder."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.faults.judging import Known, Outcome, at_work, forget, hashes, up_to
from tests.faults.killing import different
from tests.pipeline.project import SMALL, Project, make, wait_for

RAW = Path("data/raw")
_SIDE_PX = 512
_CLASSES = ("ant", "bee", "cat")


def project(folder: Path, number: int) -> Project:
    """Make a project with so many images, and ingest them.

    Args:
        number: from 2,000 on, processes decode them.
    """
    made = make(folder, SMALL)
    for index in range(number):
        write(made, index)
    made.set(ingest__source="folder", ingest__path=str(RAW))
    made.run("dvc", "repro", "ingest")
    return made


def write(project: Project, index: int, seed: int = 0) -> None:
    """Write one image of noise, of which no two are alike."""
    pixels = np.random.default_rng([index, seed]).integers(0, 256, (8, 8, 3), np.uint8)
    path = project.folder / RAW / _CLASSES[index % len(_CLASSES)] / f"{index}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize((_SIDE_PX, _SIDE_PX)).save(path, quality=90)


def added(project: Project) -> None:
    write(project, 999_999)


def removed(project: Project) -> None:
    next(iter(sorted((project.folder / RAW / "bee").iterdir()))).unlink()


def changed(project: Project) -> None:
    write(project, 2, seed=1)


CHANGES: dict[str, Callable[[Project], None]] = {
    f"file {change.__name__}": change for change in (added, removed, changed)
}


class References:
    """Runs on the changed folder that nothing disturbed, each once."""

    def __init__(self, source: Project, folder: Path, known: Known) -> None:
        self._source, self._folder, self._known = source, folder, known
        self._found: dict[str, dict[str, str]] = {}

    def hashes(self, fault: str) -> dict[str, str]:
        if fault not in self._found:
            copy = self._source.copy(self._folder / f"with a {fault}")
            forget(copy, "ingest")
            CHANGES[fault](copy)
            copy.run("dvc", "repro", "ingest")
            self._known.learn(copy)
            self._found[fault] = hashes(copy, up_to("ingest"))
            copy.end()
        return self._found[fault]


def change(
    project: Project,
    fault: str,
    share: float,
    seconds: float,
    known: Known,
    references: References,
) -> Outcome:
    """Change the folder while `ingest` reads it, run again, compare.

    Args:
        project: one whose last run was undisturbed; used up.
        seconds: that `ingest` took then.
        share: of that time, after which the folder changes.
    """
    wanted = references.hashes(fault)
    forget(project, "ingest")
    run = project.start("dvc", "repro", "ingest")
    wait_for(lambda: at_work(project, "ingest") or run.poll() is not None, 120, "for the stage")
    time.sleep(share * seconds)
    CHANGES[fault](project)
    code = run.wait(300)
    output = project.output_file.read_text(encoding="utf-8")
    refused = "while it was read" in output or "was changed while the stage ran" in output
    problem = "" if refused or not code else f"{code}: {output.splitlines()[-2:]}"
    problem = problem or known.untrue(project)
    again = project.run("dvc", "repro", "ingest", code=None)
    if again.returncode:
        problem = problem or f"dvc repro ended with {again.returncode}"
    problem = problem or different(wanted, hashes(project, up_to("ingest")))
    problem = problem or known.problem(project)
    return Outcome(fault, "ingest", share, "refused" if code else "recorded", problem)
