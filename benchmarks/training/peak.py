"""Peak memory of one loop, in a process of its own."""

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.training import loops, options

LOOPS = ("bare", "engine")


def of(loop: str, words: Sequence[str]) -> float:
    """In MB: of the process, the libraries included; on a GPU what PyTorch has taken of it.

    Args:
        words: of the benchmark's command line.
    """
    line = [sys.executable, "-m", "benchmarks.training.peak", loop, *words]
    ended = subprocess.run(line, check=True, capture_output=True, text=True)
    return float(ended.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(parents=[options.arguments()])
    parser.add_argument("loop", choices=LOOPS)
    given = parser.parse_args()
    case = options.case(given)
    with tempfile.TemporaryDirectory() as folder:
        data = case.packed(Path(folder))
        if given.loop == "bare":
            loops.bare(case, data, 1, plain=True)
        else:
            loops.engine(case, data, trainable="all", epochs=1)
    if case.device.type == "cuda":
        print(torch.cuda.max_memory_allocated() / 2**20)
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
