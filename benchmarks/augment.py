"""Augmentation and reading: what the project adds to the bare libraries, in one process.

    python -m benchmarks.augment [POLICY]

Rates of augmented batches beside bare albumentations with the same transforms, and of packed
images beside decoding the same ones from JPEG at 256 px. Alternating rounds, medians.
"""

import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_sample_images

from thawline.augment._transforms import Views, build
from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.training.examples import ImageExamples

_ROUNDS, _COUNT, _BATCH = 7, 512, 32


def main(policy: str = "medium") -> None:
    _compare_augmentation(policy, size_px=96)
    _compare_reading(size_px=256)


def _images(size_px: int) -> np.ndarray:
    """Crops of scikit-learn's photographs, uint8 (_COUNT, S, S, 3)."""
    rng, pictures = np.random.default_rng(0), load_sample_images().images
    crops = []
    for number in range(_COUNT):
        picture = pictures[number % 2]
        top, left = (int(rng.integers(side - size_px)) for side in picture.shape[:2])
        crops.append(picture[top : top + size_px, left : left + size_px])
    return np.stack(crops)


def _compare_augmentation(name: str, size_px: int) -> None:
    images = _images(size_px)
    steps = importlib.import_module(f"thawline.augment.{name}").policy(size_px)
    bare, views = build(steps), Views(steps, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        store = _packed(Path(folder), images)
        rows, labels = np.arange(_COUNT), np.zeros(_COUNT, dtype=np.int64)
        examples = ImageExamples(store, rows, labels, steps, batch_size=_BATCH, seed=0, workers=0)
        kinds: dict[str, Callable[[], object]] = {
            "bare albumentations": lambda: [bare(image=image)["image"] for image in images],
            "seeded views": lambda: [
                views(image, epoch=0, row=row, repeat=0) for row, image in enumerate(images)
            ],
            "batches of training": lambda: list(examples.epoch(0)),
        }
        _print(f"{name} at {size_px} px", _rates(kinds))


def _compare_reading(size_px: int) -> None:
    images = _images(size_px)
    encoded = [cv2.imencode(".jpg", image[..., ::-1])[1] for image in images]
    order = np.random.default_rng(1).permutation(_COUNT)
    with tempfile.TemporaryDirectory() as folder:
        store = _packed(Path(folder), images)
        kinds: dict[str, Callable[[], object]] = {
            "JPEG, OpenCV": lambda: [cv2.imdecode(encoded[row], cv2.IMREAD_COLOR) for row in order],
            "packed": lambda: list(store.batches(order, _BATCH)),
        }
        _print(f"reading at {size_px} px", _rates(kinds))


def _packed(folder: Path, images: np.ndarray) -> ImageStore:
    with StoreWriter(folder, images.shape[1]) as writer:
        for image in images:
            writer.append(image)
    return ImageStore(folder)


def _rates(kinds: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Images per second of each kind, the median over alternating rounds."""
    cv2.setNumThreads(1)
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for round_number in range(_ROUNDS + 1):
        for kind, work in kinds.items():
            began = time.perf_counter()
            work()
            if round_number:
                seconds[kind].append(time.perf_counter() - began)
    return {kind: _COUNT / statistics.median(times) for kind, times in seconds.items()}


def _print(title: str, rates: dict[str, float]) -> None:
    first = next(iter(rates.values()))
    print(f"{title}, medians of {_ROUNDS}:")
    for kind, rate in rates.items():
        print(f"  {kind:<22}{rate:>9.0f} images/s  x {rate / first:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
