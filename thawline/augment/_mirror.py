"""Decide whether images may be mirrored: what the features of a frozen network make of it."""

from dataclasses import dataclass

import numpy as np

from thawline.data.manifest import Manifest
from thawline.training import level_choice
from thawline.training.level_choice import Sample
from thawline.training.levels import MIRRORED, BlockFeatures

MAX_ROWS = 500
"""Images that are looked at, in two passes: a difference of three points shows."""


@dataclass(frozen=True, kw_only=True)
class Mirroring:
    """What mirrored copies did to a linear head.

    Attributes:
        helps: whether they lost no more than a standard error of the difference.
        accuracy, with_copies: of images left out of the fit, without and with mirrored copies of
            the others in it, in [0, 1].
    """

    helps: bool
    accuracy: float
    with_copies: float
    num_rows: int

    def __str__(self) -> str:
        percents = f"{100 * self.with_copies:.1f} % instead of {100 * self.accuracy:.1f} %"
        return (
            f"with mirrored copies in its fit a linear head is right on {percents} of "
            f"{self.num_rows} training images that were left out"
        )


def measure(
    features: BlockFeatures, manifest: Manifest, rows: np.ndarray, *, seed: int
) -> Mirroring:
    """Fit a head with and without mirrored copies of its images.

    Orientation that carries meaning, as in letters, costs several points; elsewhere copies help.

    Args:
        rows: training rows, all different, int64 (N,).
    """
    at = level_choice.draw(manifest.labels[rows], np.random.default_rng(seed), MAX_ROWS)
    sample = Sample(
        rows=rows[at],
        labels=manifest.labels[rows[at]],
        weights=np.ones(len(at)),
        groups=level_choice.number_groups([manifest.groups[row] for row in rows[at]]),
        num_classes=len(manifest.classes),
    )
    choice = level_choice.choose(features, sample, copies=MIRRORED)
    assert choice.augmented_accuracy is not None
    alone = choice.tried[choice.keys].accuracy
    return Mirroring(
        helps=bool(choice.augmented),
        accuracy=alone,
        with_copies=choice.augmented_accuracy,
        num_rows=len(at),
    )
