"""Choose the side of the packed images by a linear head on a frozen network's features.

The images of a sample are shrunk to each side in turn, in the squares that they were packed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.features import pretrained_trunk
from thawline.features.level_choice import quick_best, small_sample, weighted_mean
from thawline.features.levels import smaller
from thawline.features.ridge import LeaveGroupOut
from thawline.models import device
from thawline.runtime.progress import track

ROWS = 300
"""Images that are looked at: 0.01 s each at 224 px on 2 cores with products of bfloat16. By 200
rows of each of eight sets of benchmarks/own_images the standard error of a difference was 0.001 to
0.022, and the worst side lost 0.015 to 0.22 (one split)."""
SHARE, MOST_ROWS = 0.2, 1200
"""Share of the training images that are looked at where that is more than ROWS, and its limit: what
many images take elsewhere pays for it."""
FEWEST_ROWS = 30
"""Training images, below which nothing is measured."""
MOST_WORSE = 0.01
"""Largest rise of the squared error, or a standard error where that is more: the smallest side that
loses no more is taken, for it costs the least."""
_THREADS = 2
"""Threads of PyTorch, fixed so that the choice does not follow `training.threads`."""


@dataclass(frozen=True, kw_only=True)
class SizeChoice:
    """Chosen side, and the accuracy of a head at each side.

    Attributes:
        size_px: smallest side that is as good as the best, in px.
        accuracy: accuracy by side in px, on images left out of the fit, in [0, 1].
        num_rows: number of images that were looked at.
    """

    size_px: int
    accuracy: dict[int, float]
    num_rows: int

    def __str__(self) -> str:
        shares = ", ".join(f"{100 * a:.1f} % at {side}" for side, a in self.accuracy.items())
        return (
            f"a linear head has an accuracy of {shares} px on {self.num_rows} training images that "
            "were left out of its fit"
        )


def choose(
    store: ImageStore, manifest: Manifest, sizes: Sequence[int], *, name: str, seed: int
) -> SizeChoice | None:
    """Compare sides by the squared error of rows left out; None where images are too few.

    Args:
        store: images packed at the largest of the sides or above.
        manifest: training rows, their classes and groups.
        sizes: sides in px, ascending.
        name: network whose features are taken, see `pretrained_trunk.extractor`.
        seed: seed of the sample.

    Raises:
        UserError: there are no weights of that network on this machine.
    """
    rows = manifest.rows("train")
    if len(rows) < FEWEST_ROWS or len(sizes) < 2:
        return None
    device.setup(threads=_THREADS, seed=seed)
    most = min(max(ROWS, round(SHARE * len(rows))), MOST_ROWS)
    sample = small_sample(manifest, rows, most, seed=seed)
    images = store.take(sample.rows)
    features = pretrained_trunk.extractor(name=name, device=torch.device("cpu"))
    found = {
        size: quick_best(features(smaller(images, size)), sample)[1]
        for size in track(sizes, "sizes", len(sizes))
    }
    return SizeChoice(
        size_px=_smallest(found, sample.weights),
        accuracy={size: weighted_mean(out.right, sample.weights)[0] for size, out in found.items()},
        num_rows=len(sample.rows),
    )


def _smallest(found: dict[int, LeaveGroupOut], weights: np.ndarray) -> int:
    best = min(found.values(), key=lambda out: float(out.errors.mean()))
    for size, out in found.items():
        worse, error = weighted_mean(out.errors - best.errors, weights)
        if worse <= max(MOST_WORSE, error):
            return size
    raise AssertionError("the best loses nothing against itself")
