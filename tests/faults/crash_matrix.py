"""`python -m tests.faults.crash_matrix`: stages are disturbed at seeded moments and run again.

Makes small projects, runs them undisturbed, then for each fault, stage and point: the fault after
a share of the stage's undisturbed duration, what to do next, and a comparison of all that is
recorded. Prints a table; exit code 1 when anything failed.

- stage: `kill -9` of the stage;
- worker: `kill -9` of a process that decodes, of `ingest` and `thawline predict`; others have none;
- params: params.yaml is edited, the running stage's section and another, under `dvc repro` and
  `thawline run`; the first point is counted from the start of the process, which loads libraries
  before it works, and one point more is the moment at which the stage ends;
- file: an image is added to, removed from or changed in the folder that `ingest` reads.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults import adding, editing, killing
from tests.faults.judging import Known, Outcome, durations, points
from tests.pipeline.project import CHAIN, Project, make

_IMAGES = 2100
Fault = Callable[[Project], Outcome]


def of_stages(asked: argparse.Namespace, folder: Path) -> Iterator[Outcome]:
    """Kill and edit, in copies of a project with the digits."""
    built = make(folder / "a project")
    built.run("dvc", "repro")
    built.commit("Results")
    seconds, known = durations(built), Known(built)
    references = editing.References(built, folder, known)

    def killed(stage: str, share: float) -> Fault:
        return lambda copy: killing.stage(copy, stage, share, seconds[stage], known)

    def edited(stage: str, share: float, number: int) -> Fault:
        turn = number + CHAIN.index(stage)
        name, command = stage if turn % 2 == 0 else editing.other(stage), _COMMANDS[turn % 4]
        if share == editing.AT_ITS_END:  # bare `dvc repro` is put right by the next stage only
            name, command = stage, "run"
        return lambda copy: editing.edit(
            copy, stage, share, seconds[stage], edited=name, command=command,
            early=number == 0, known=known, references=references,
        )  # fmt: skip

    for stage in asked.stages:
        shares = points(stage, asked.points, asked.seed)
        if "stage" in asked.faults:
            yield from _each(built, [killed(stage, share) for share in shares])
        if "params" in asked.faults:
            moments = enumerate([*shares, editing.AT_ITS_END])
            yield from _each(built, [edited(stage, share, n) for n, share in moments])


_COMMANDS = ("repro", "run", "run", "repro")
"""With whose value alternating, each pair of the two comes in four points."""


def of_images(asked: argparse.Namespace, folder: Path) -> Iterator[Outcome]:
    """Kill decoding processes and change images, in copies of a project with a folder of them."""
    built = adding.project(folder / "images", _IMAGES)
    built.commit("Results")
    ingest_s, known = durations(built)["ingest"], Known(built)
    references = adding.References(built, folder, known)
    shares = points("ingest", asked.points, asked.seed)

    def killed(share: float, seconds: float) -> Fault:
        return lambda copy: killing.worker(copy, share, seconds, known)

    def predicting(share: float) -> Fault:
        return lambda copy: killing.predicting(copy, share, copy.folder / adding.RAW)

    def changed(fault: str, share: float) -> Fault:
        return lambda copy: adding.change(copy, fault, share, ingest_s, known, references)

    if "worker" in asked.faults:
        copy = built.copy(folder / "to be timed")
        seconds = killing.decoding_s(copy)
        copy.end()
        yield from _each(built, [killed(share, seconds) for share in shares])
        yield from _each(built, [predicting(share) for share in shares])
    if "file" in asked.faults:
        yield from _each(built, [changed(fault, s) for fault in adding.CHANGES for s in shares])


def _each(built: Project, faults: list[Fault]) -> Iterator[Outcome]:
    for fault in faults:
        copy = built.copy(built.folder.parent / "a copy")
        try:
            yield fault(copy)
        finally:
            copy.end()
            shutil.rmtree(copy.folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    faults = ("stage", "worker", "params", "file")
    parser.add_argument("--points", type=int, default=5, help="for each stage and fault")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", nargs="+", choices=CHAIN, default=CHAIN)
    parser.add_argument("--faults", nargs="+", choices=faults, default=faults)
    asked = parser.parse_args()
    began, number, failed = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as name:
        found = [of_stages] if {"stage", "params"} & set(asked.faults) else []
        if {"worker", "file"} & set(asked.faults):
            if "ingest" in asked.stages:
                found.append(of_images)
            if others := [stage for stage in asked.stages if stage != "ingest"]:
                reason = "they start no processes that decode and read no folder of images"
                print(f"worker, file: not of {', '.join(others)}: {reason}", flush=True)
        for outcomes in found:
            for one in outcomes(asked, Path(name)):
                number, failed = number + 1, failed + bool(one.problem)
                said = one.problem or "as undisturbed"
                what = f"{one.fault:<29} {one.stage:<15} {one.share:5.0%}"
                print(f"{what}  {one.reached:<20}  {said}", flush=True)
    print(f"{number} faults, {failed} failed, {time.monotonic() - began:.0f} s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
