"""`thawline predict` as a whole process, beside OpenCV's bare decoder and ONNX Runtime.

    python -m benchmarks.predict MODEL_FOLDER [COUNT]    # e.g. models/compress 10000

The files are photographs as of benchmarks.ingest. The bare loop decodes and resizes in one process
per core and runs the network in batches of the same size in its own; it checks nothing, escapes
nothing, and writes a line per file. Both take turns; medians of three.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.ingest import make_photographs
from thawline.cost import ort_session as onnx
from thawline.prediction.decoding import BATCH
from thawline.prediction.model import Predictor

_ROUNDS = 3


def main(folder: str, count: str = "10000") -> None:
    with tempfile.TemporaryDirectory() as scratch:
        photographs = Path(scratch)
        make_photographs(photographs, int(count))
        taken = [
            (_bare(photographs, folder), _command(photographs, folder)) for _ in range(_ROUNDS)
        ]
    bare, command = (statistics.median(column) for column in zip(*taken, strict=True))
    print(
        f"{count} files, medians of {_ROUNDS}: bare {bare:.1f} s, thawline predict {command:.1f} s"
    )
    print(f"thawline predict reaches {bare / command:.2f} of the bare rate")


def _command(photographs: Path, folder: str) -> float:
    words = [sys.executable, "-m", "thawline.cli", "predict", str(photographs), "--csv"]
    return _timed([*words, "--model", folder])


def _bare(photographs: Path, folder: str) -> float:
    return _timed([sys.executable, "-m", "benchmarks.predict", "bare", str(photographs), folder])


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def bare(photographs: str, folder: str) -> None:
    """The least that any program has to do."""
    model, cores = Predictor(Path(folder)), os.cpu_count() or 1
    files = [str(path) for path in sorted(Path(photographs).rglob("*.jpg"))]
    batches = [files[i : i + BATCH] for i in range(0, len(files), BATCH)]
    decode = partial(_decode, size_px=model.geometry.image_size_px)
    with ProcessPoolExecutor(cores) as pool:
        decoded = pool.map(decode, batches)
        network = onnx.session(model.network, cores)
        for names, pixels in zip(batches, decoded, strict=True):
            for name, row in zip(names, onnx.predict(network, pixels), strict=True):
                print(name, model.classes[int(row.argmax())], row.max())


def _decode(files: list[str], size_px: int) -> np.ndarray:
    cv2.setNumThreads(1)
    images = [cv2.imread(file, cv2.IMREAD_COLOR_RGB) for file in files]
    return np.stack([cv2.resize(image, (size_px, size_px)) for image in images])


if __name__ == "__main__":
    if sys.argv[1] == "bare":
        bare(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
