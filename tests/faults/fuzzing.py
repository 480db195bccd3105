"""`python -m tests.faults.fuzzing KIND NUMBER`: damage real files and read them, case by case.

Meant as a process of its own: it may have 1 GiB of memory beyond what it starts with, and a case
that takes 10 s ends it. The number of each case is printed before the case, so that the last one
is the culprit; `--first N` repeats it.
"""

import argparse
import os
import random
import resource
import signal
from contextlib import chdir
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from tests.faults.fuzz.damage import Kind, damaged

MEMORY_BYTES = 2**30
SECONDS = 10
_KINDS_OF = {
    "pictures": ("images", "heads"),
    "requests": ("requests",),
    "containers": ("archives", "sets", "npz", "idx", "seen"),
    "tables": ("csv", "parquet", "datasets", "fixes", "holdouts"),
    "models": ("cards", "weights", "checkpoints", "refits", "networks"),
    "outputs": ("manifests", "rows", "shards", "decisions", "curves"),
    "scratch": ("resumes", "features", "packed", "spools", "executions", "lists"),
    "settings": ("params", "policies", "studies", "schedules", "graphs", "places"),
}
KINDS = {kind: module for module, kinds in _KINDS_OF.items() for kind in kinds}
"""In which module of `tests.faults.fuzz` each is: it is loaded alone."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("number", type=int)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder, chdir(folder):  # where it is started lie files of value
        _run(asked)


def _run(asked: argparse.Namespace) -> None:
    module = import_module(f"tests.faults.fuzz.{KINDS[asked.kind]}")
    kind: Kind = getattr(module, asked.kind)()
    for file in kind.files:
        kind.read(file, Path())  # whole; and loads what is loaded at the first use
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + MEMORY_BYTES,) * 2)
    for case in range(asked.first, asked.first + asked.number):
        os.write(1, b"%d\n" % case)
        chance = random.Random(f"{asked.kind} {case}")
        signal.alarm(SECONDS)
        kind.read(damaged(kind.files[case % len(kind.files)], chance, text=kind.text), Path())
    signal.alarm(0)


if __name__ == "__main__":
    main()
