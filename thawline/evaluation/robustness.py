"""Measure accuracy under noise, blur, JPEG compression and other light, each at three severities.

After D. Hendrycks and T. Dietterich, 2019, "Benchmarking neural network robustness to common
corruptions and perturbations", with severities that leave small images recognisable to people.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from thawline.runtime.output_paths import write_csv

Images = NDArray[np.uint8]
Predict = Callable[[Iterable[Images]], NDArray[np.floating]]
SEVERITIES = (1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """Accuracy in [0, 1] on the test rows under one corruption."""

    corruption: str
    severity: int
    accuracy: float


def _noise(image: Images, severity: int, rng: np.random.Generator) -> Images:
    sigma = (10, 25, 45)[severity - 1]
    noisy = image + rng.normal(0, sigma, image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _blur(image: Images, severity: int, rng: np.random.Generator) -> Images:  # noqa: ARG001
    sigma = max(0.4 * severity, len(image) * (0.015, 0.025, 0.04)[severity - 1])
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def _jpeg(image: Images, severity: int, rng: np.random.Generator) -> Images:  # noqa: ARG001
    quality = (40, 15, 5)[severity - 1]
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _brightness(image: Images, severity: int, rng: np.random.Generator) -> Images:
    """Make an image brighter or darker, by chance."""
    shift = (30, 60, 90)[severity - 1] * (1 if rng.random() < 0.5 else -1)
    return np.clip(image.astype(np.int16) + shift, 0, 255).astype(np.uint8)


CORRUPTIONS: dict[str, Callable[[Images, int, np.random.Generator], Images]] = {
    "noise": _noise,
    "blur": _blur,
    "jpeg": _jpeg,
    "brightness": _brightness,
}


def measure(
    predict: Predict,
    batches: Callable[[], Iterable[Images]],
    labels: NDArray[np.int64],
    *,
    seed: int,
) -> list[Robustness]:
    """Predict the test rows under every corruption; equal seeds give equal images.

    Args:
        predict: uint8 (B, S, S, 3) batches -> probabilities (N, K).
        batches: gives the test rows again each time.
        labels: int64 (N,).
        seed: seed of the corruptions.
    """
    return [
        Robustness(
            corruption=name,
            severity=severity,
            accuracy=float(
                (predict(corrupted(batches(), name, severity, seed)).argmax(axis=1) == labels)
                .mean()
            ),
        )
        for name in CORRUPTIONS
        for severity in SEVERITIES
    ]  # fmt: skip


def corrupted(batches: Iterable[Images], name: str, severity: int, seed: int) -> Iterator[Images]:
    """Corrupt batches, uint8 (B, S, S, 3), each image by a generator of its own."""
    corrupt, number = CORRUPTIONS[name], 0
    for batch in batches:
        out = np.empty_like(batch)
        for place, image in enumerate(batch):
            out[place] = corrupt(image, severity, np.random.default_rng((seed, number)))
            number += 1
        yield out


def write(path: Path, found: Sequence[Robustness]) -> None:
    """Write corruptions.csv; a header only where nothing was measured."""
    write_csv(
        path,
        ("corruption", "severity", "accuracy"),
        [(r.corruption, r.severity, f"{r.accuracy:.6f}") for r in found],
    )
