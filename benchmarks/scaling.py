"""The constants of docs/scaling.md: CPU time to pack an image, its size, MD5's speed, and what a
Dask cluster costs the process that hands the images out.

`OPENCV_NUM_THREADS=1 python -m benchmarks.scaling`; CPU time, so a busy machine matters little.
"""

import hashlib
import io
import os
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from distributed import SubprocessCluster

from thawline.dataset.image_store import StoreWriter
from thawline.ingest.decoding.preprocess import Geometry
from thawline.ingest.items import Item
from thawline.ingest.packing import dask_backend
from thawline.ingest.packing.packing import Packed, pack, prepare

_IMAGES, _ROUNDS, _HASHED_BYTES = 60, 3, 256 * 2**20
_REPEATS = 20


def photographs() -> list[bytes]:
    """JPEG files of 500 x 400 pixels, about as large as photographs of that size."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (25, 32, 3), np.uint8)
    smooth = cv2.resize(coarse, (500, 400), interpolation=cv2.INTER_CUBIC).astype(int)
    noisy = [np.clip(smooth + rng.integers(-12, 12, smooth.shape), 0, 255) for _ in range(_IMAGES)]
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
    return [cv2.imencode(".jpg", image.astype(np.uint8), quality)[1].tobytes() for image in noisy]


def packing(encoding: str, files: list[bytes]) -> tuple[float, float]:
    """Milliseconds of CPU an image, the median round, and kilobytes an image, at 224 px."""
    geometry = Geometry(image_size_px=224, fit="letterbox", background=(0, 0, 0), encoding=encoding)
    rounds, sizes = [], []
    for _ in range(_ROUNDS):
        began = time.process_time()
        for number, data in enumerate(files):
            packed = prepare(Item(name=f"{number}.jpg", payload=data, label=0), geometry)
            assert isinstance(packed, Packed)
            sizes.append(packed.pixels.nbytes)
        rounds.append((time.process_time() - began) / len(files))
    return 1e3 * statistics.median(rounds), statistics.mean(sizes) / 1e3


def handing_out(encoding: str, files: list[bytes]) -> float:
    """Milliseconds of CPU an image of the process that walks the source, which is only one.

    It reads, hands out to two workers, takes back and stores; the median round.
    """
    geometry = Geometry(image_size_px=224, fit="letterbox", background=(0, 0, 0), encoding=encoding)
    rounds = []
    with (
        SubprocessCluster(
            host="127.0.0.1", n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        TemporaryDirectory() as scratch,
    ):
        os.environ[dask_backend.ADDRESS] = cluster.scheduler_address
        folder = Path(scratch)
        for number, data in enumerate(files * _REPEATS):
            (folder / f"{number}.jpg").write_bytes(data)
        paths = sorted(folder.glob("*.jpg"))
        for number in range(1 + _ROUNDS):  # the first one is for the workers to load
            items = [Item(name=path.name, payload=path, label=0) for path in paths]
            with StoreWriter(folder / str(number), 224) as writer:
                began = time.process_time()
                for packed in pack(items, geometry):
                    assert isinstance(packed, Packed)
                    writer.append(packed.pixels)
                rounds.append((time.process_time() - began) / len(paths))
        del os.environ[dask_backend.ADDRESS]
    return 1e3 * statistics.median(rounds[1:])


def hashing() -> float:
    """Gigabytes a second of CPU by MD5, which DVC uses; the median round."""
    data, rounds = os.urandom(_HASHED_BYTES), []
    for _ in range(_ROUNDS):
        began = time.process_time()
        hashlib.file_digest(io.BytesIO(data), "md5")
        rounds.append(len(data) / 1e9 / (time.process_time() - began))
    return statistics.median(rounds)


def main() -> None:
    files = photographs()
    print(f"a file: {statistics.mean(map(len, files)) / 1e3:.1f} kB")
    for encoding in ("raw", "jpeg"):
        milliseconds, kilobytes = packing(encoding, files)
        print(f"{encoding}: {milliseconds:.2f} ms of CPU, {kilobytes:.1f} kB an image")
        print(f"{encoding}, on a cluster: {handing_out(encoding, files):.2f} ms of CPU here")
    print(f"MD5: {hashing():.2f} GB/s")


if __name__ == "__main__":
    main()
