"""The constants of docs/scaling.md: CPU time to pack an image, its size, and MD5's speed.

`OPENCV_NUM_THREADS=1 python -m benchmarks.scaling`; CPU time, so a busy machine matters little.
"""

import hashlib
import io
import os
import statistics
import time

import cv2
import numpy as np

from thawline.data.content import Geometry
from thawline.data.items import Item
from thawline.data.packing import Packed, prepare

_IMAGES, _ROUNDS, _HASHED_BYTES = 60, 3, 256 * 2**20


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
    print(f"MD5: {hashing():.2f} GB/s")


if __name__ == "__main__":
    main()
