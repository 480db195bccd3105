"""Measure the memory of a network: on disk, and in a process that does nothing but run it.

`python -m thawline.cost.memory MODEL --image-size-px 64` is that process: it prints its own
peak as JSON. This module loads no library before it knows which one the network needs, because
whatever is loaded counts: PyTorch alone takes about ten times what ONNX Runtime does.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from thawline.errors import ChildDiedError

MEGABYTE = 10**6
_RUNS = 5


@dataclass(frozen=True, kw_only=True)
class PeakMemory:
    """Peak of a process that loads one network and runs it; MB are 10^6 bytes."""

    peak_mb: float
    """Resident memory of the whole process; on a GPU that which PyTorch allocated there."""
    runtime_mb: float
    """Part of it before the network was loaded: the interpreter and the libraries."""


def size_mb(path: Path) -> float:
    """Return the size of a file, or of all files below a folder, in MB."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / MEGABYTE


def peak_memory(
    model: Path, *, image_size_px: int, batch_size: int = 1, threads: int = 1, device: str = "cpu"
) -> PeakMemory:
    """Measure peak memory in a fresh process; `model` is an .onnx file or a checkpoint folder.

    Raises:
        ChildDiedError: the process was killed.
        RuntimeError: the process failed; the message is the last line it wrote.
    """
    command = [
        sys.executable, "-m", "thawline.cost.memory", str(model),
        "--image-size-px", str(image_size_px), "--batch-size", str(batch_size),
        "--threads", str(threads), "--device", device,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode < 0:
        raise ChildDiedError.from_exit_code("the process that measures memory", done.returncode)
    if done.returncode:
        reason = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise RuntimeError(f"{model}: its memory could not be measured: {reason[-1]}")
    return PeakMemory(**json.loads(done.stdout.splitlines()[-1]))


def resident_peak_bytes() -> int:
    """Return the peak resident memory of this process.

    Not by ru_maxrss where Linux offers better: a new program inherits it from the process that
    started it, so a small program started by a large one would report the large one's memory.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        status = ""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _onnx(path: Path, threads: int) -> tuple[int, Callable[[np.ndarray], object]]:
    from thawline.cost.ort_session import predict, session

    before = resident_peak_bytes()
    network = session(path, threads)
    return before, lambda images: predict(network, images, batch_size=len(images))


def _checkpoint(
    directory: Path, threads: int, device: str
) -> tuple[int, Callable[[np.ndarray], object]]:
    import torch

    from thawline.models.checkpoint import load
    from thawline.models.device import setup, to_input

    setup(threads=threads, seed=0)
    before = resident_peak_bytes()
    network, card = load(directory)
    network = network.eval().to(device)

    def run(images: np.ndarray) -> object:
        with torch.inference_mode():
            inputs = to_input(images, mean=card.mean, std=card.std, device=device)
            return torch.softmax(network(inputs), dim=1).cpu().numpy()

    return before, run


def _measure(
    model: Path, image_size_px: int, batch_size: int, threads: int, device: str
) -> PeakMemory:
    if model.suffix == ".onnx":
        before, run = _onnx(model, threads)
    else:
        before, run = _checkpoint(model, threads, device)
    shape = (batch_size, image_size_px, image_size_px, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for _ in range(_RUNS):
        run(images)
    if device.startswith("cuda"):
        import torch

        peak, before = torch.cuda.max_memory_allocated(device), 0
    else:
        peak = resident_peak_bytes()
    return PeakMemory(peak_mb=peak / MEGABYTE, runtime_mb=before / MEGABYTE)


def main() -> None:
    """Measure this process by the arguments of the command line, and print the result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m thawline.cost.memory", description=__doc__)
    parser.add_argument("model", type=Path, help="an .onnx file or a checkpoint folder")
    parser.add_argument("--image-size-px", type=int, required=True)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    print(json.dumps(asdict(_measure(**vars(options)))))


if __name__ == "__main__":
    main()
