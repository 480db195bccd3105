"""Decide whether images may be mirrored, by the features of a frozen network."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.features import level_choice
from thawline.features.level_choice import weighted_mean
from thawline.features.levels import Key, smaller

MAX_ROWS = 500
"""Images that are looked at, in two passes: a difference of three points shows."""
MAX_PX = 128
"""Side at which they are looked at, where they are larger: a pass takes a third of that at 224."""


@dataclass(frozen=True, kw_only=True)
class Mirroring:
    """Effect of mirrored copies on a linear head.

    Attributes:
        helps: whether they lost no more than a standard error of the difference.
        accuracy, with_copies: accuracy on images left out of the fit, without and with mirrored
            copies of the others in it, in [0, 1].
        num_rows: number of images that were judged.
    """

    helps: bool
    accuracy: float
    with_copies: float
    num_rows: int

    def __str__(self) -> str:
        percents = f"{100 * self.with_copies:.1f} % instead of {100 * self.accuracy:.1f} %"
        return (
            f"with mirrored copies in its fit a linear head has an accuracy of {percents} on "
            f"{self.num_rows} training images that were left out"
        )


def measure(
    features: Callable[[np.ndarray], dict[Key, np.ndarray]],
    store: ImageStore,
    manifest: Manifest,
    rows: np.ndarray,
    *,
    seed: int,
) -> Mirroring:
    """Compare a head with and without mirrored copies of its images.

    Where orientation carries meaning, as in letters, they cost several points; elsewhere they help.
    `features` computes those of each block of a frozen network, see `pretrained_trunk.extractor`;
    `rows` are training rows, all different, int64 (N,).
    """
    sample = level_choice.small_sample(manifest, rows, MAX_ROWS, seed=seed)
    images = smaller(store.take(sample.rows), MAX_PX)
    found, mirrored = features(images), features(images[:, :, ::-1].copy())
    keys, alone = level_choice.quick_best(found, sample)
    both = level_choice.judge([found[key] for key in keys], sample, [mirrored[key] for key in keys])
    lost, error = weighted_mean(alone.right.astype(float) - both.right, sample.weights)
    return Mirroring(
        helps=lost <= error,
        accuracy=float(alone.right.mean()),
        with_copies=float(both.right.mean()),
        num_rows=len(sample.rows),
    )
