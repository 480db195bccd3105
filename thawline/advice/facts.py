"""Hold the figures that proposals rest on: of the data set, the network and the last run.

Nothing here looks at test rows: advice chooses among settings, and the test split may not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from thawline.features.layer_profile import Profile
from thawline.params.schema.whole import Params


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of a network by counting, at the packed images' size; 1 MB is 1,000,000 bytes."""

    parameters: int
    macs: int
    size_mb: float


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Measured figures.

    Attributes:
        counts: training rows per class, int64 (num_classes,).
        image_size_px: side of the packed images, px.
        side_px: median of the shorter sides of the training images as they came, px.
        colour: True where any of a sample of training images is not grey.
        profile: profile of the network with its pretrained weights; None with random ones.
        costs: costs of the networks of the chosen family, by name; the chosen one always.
        pretrained_px: image side that the weights expect, px.
        val_accuracy: validation accuracy of the weights that fine_tune kept; None where it has not
            run with the current values of params.
        latency_ms: measured latency of the final model; None where there is none, or it is of
            another model.
        timed_on: the device of that measurement.
        gained: validation macro-F1 of the best epoch of fine_tune over that of the weights it began
            with, below 0 where those were kept; None where it has not run with these values.
        num_test: number of test rows; nothing of their content.
        quick_bfloat16: True where the training device multiplies bfloat16 matrices fast.
    """

    params: Params
    counts: np.ndarray
    image_size_px: int
    side_px: int
    colour: bool
    profile: Profile | None
    costs: Mapping[str, Cost]
    pretrained_px: int
    val_accuracy: float | None
    latency_ms: float | None
    timed_on: str
    gained: float | None
    num_test: int
    quick_bfloat16: bool

    @property
    def imbalance(self) -> float:
        """Size of the largest class over that of the smallest with any rows."""
        return float(self.counts.max() / self.counts[self.counts > 0].min())

    @property
    def cost(self) -> Cost:
        return self.costs[self.params.model.name]
