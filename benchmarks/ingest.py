"""The ingest stage as a whole process: seconds, images a second, peak memory.

    python -m benchmarks.ingest idx PATH            # e.g. a folder with the files of Fashion-MNIST
    python -m benchmarks.ingest photographs [COUNT] # beside OpenCV's bare decoder on 2 processes

Photographs are made from scikit-learn's two: random crops, enlarged to 900 x 600 px with a little
noise, so that no two are equal, about 100 kB. Both sides read the same files; medians of three.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from ruamel.yaml import YAML
from sklearn.datasets import load_sample_images

_ROUNDS = 3
_CROP_PX, _SIZE_PX = (600, 400), (900, 600)
"""Width and height; 1.5 bits a pixel, as usual for photographs."""
_PROJECT = Path(__file__).resolve().parents[1]


def main(kind: str, argument: str = "10000") -> None:
    with tempfile.TemporaryDirectory() as scratch:
        project = make_project(Path(scratch) / "project")
        if kind == "idx":
            _report(project, {"source": "idx", "path": str(Path(argument).resolve())})
            return
        photographs = Path(scratch) / "photographs"
        make_photographs(photographs, int(argument))
        bare = statistics.median(_decode_all(photographs) for _ in range(_ROUNDS))
        seconds = _report(project, {"source": "folder", "path": str(photographs)})
        print(f"OpenCV's decoder: {bare:.1f} s; ingest reaches {bare / seconds:.2f} of its rate")


def make_project(folder: Path) -> Path:
    """The repository's files in a folder of their own, so that no output of it is replaced."""
    ignored = shutil.ignore_patterns(".*", "mlartifacts", "models", "reports", "__pycache__")
    shutil.copytree(_PROJECT, folder, ignore=ignored)
    (folder / ".dvc").mkdir()
    return folder


def _report(project: Path, ingest: dict[str, str]) -> float:
    set_params(project, ingest)
    taken = [run_stage(project) for _ in range(_ROUNDS)]
    seconds = statistics.median(seconds for seconds, _ in taken)
    peak = max(peak for _, peak in taken) / 2**20
    print(
        f"ingest of {_num_images(project)} images: {seconds:.1f} s (median of {_ROUNDS}), ", end=""
    )
    print(f"{_num_images(project) / seconds:.0f} images/s, peak {peak:.0f} MiB over all processes")
    return seconds


def set_params(project: Path, ingest: dict[str, Any]) -> None:
    yaml, path = YAML(), project / "params.yaml"
    params = yaml.load(path.read_text(encoding="utf-8"))
    params["ingest"].update(ingest)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(params, file)


def run_stage(project: Path, *, cold: bool = True) -> tuple[float, int]:
    """Seconds, and peak of the resident memory summed over the stage and its workers, bytes.

    Args:
        cold: without the images that an earlier run decoded.
    """
    if cold:
        shutil.rmtree(project / ".thawline" / "packed", ignore_errors=True)
    shutil.rmtree(project / "data" / "ingest", ignore_errors=True)
    environment = os.environ | {"THAWLINE_TRACKING": "off", "PYTHONPATH": str(project)}
    began, peak = time.perf_counter(), 0
    command = [sys.executable, "-m", "stages.ingest"]
    stage = subprocess.Popen(command, cwd=project, env=environment)
    while stage.poll() is None:
        peak = max(peak, _memory(stage.pid))
        time.sleep(0.2)
    assert stage.returncode == 0
    return time.perf_counter() - began, peak


def _memory(pid: int) -> int:
    try:
        process = psutil.Process(pid)
        return sum(p.memory_info().rss for p in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0


def _num_images(project: Path) -> int:
    metrics = json.loads((project / "reports" / "ingest" / "metrics.json").read_text())
    return int(metrics["images"])


def make_photographs(folder: Path, count: int, size_px: tuple[int, int] = _SIZE_PX) -> list[Path]:
    """JPEG files, half of them in each of two classes.

    Args:
        size_px: width and height.
    """
    rng = np.random.default_rng(0)
    pictures = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in load_sample_images().images]
    files = [folder / f"class{number % 2}" / f"{number}.jpg" for number in range(count)]
    for number, path in enumerate(files):
        picture = pictures[number % 2]
        top = int(rng.integers(picture.shape[0] - _CROP_PX[1] + 1))
        left = int(rng.integers(picture.shape[1] - _CROP_PX[0] + 1))
        crop = picture[top : top + _CROP_PX[1], left : left + _CROP_PX[0]]
        large = cv2.resize(crop, size_px, interpolation=cv2.INTER_CUBIC).astype(np.int16)
        noisy = np.clip(large + rng.integers(-2, 3, large.shape), 0, 255).astype(np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), noisy, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return files


def _decode_all(folder: Path) -> float:
    files = [str(path) for path in sorted(folder.rglob("*.jpg"))]
    began = time.perf_counter()
    # Processes forked from one that has used OpenCV's threads may wait for them for ever.
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as pool:
        decoded = sum(pool.map(_decode, files, chunksize=64))
    assert decoded == len(files)
    return time.perf_counter() - began


def _decode(file: str) -> int:
    cv2.setNumThreads(1)
    return int(cv2.imread(file) is not None)


if __name__ == "__main__":
    main(*sys.argv[1:])
