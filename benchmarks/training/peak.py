"""Peak memory of one loop, in a process of its own."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.training import loops, material
from thawline.training import device
from thawline.training.setting import TrainingData

LOOPS = ("bare", "engine")


def of(loop: str, images: int) -> float:
    """In MB, the libraries included."""
    command = [sys.executable, "-m", "benchmarks.training.peak", loop, str(images)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(ended.stdout.split()[-1])


def _run(loop: str, data: TrainingData) -> None:
    if loop == "bare":
        loops.bare(data, 1)
    else:
        loops.engine(data, trainable="all", epochs=1)


def main() -> None:
    loop, images = sys.argv[1], int(sys.argv[2])
    device.setup(threads=2, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        _run(loop, material.packed(Path(folder), images))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
