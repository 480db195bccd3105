"""What a training reads, and how it runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from thawline.augment._transforms import Step
from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.dataset.rows import Rows
from thawline.features.cache import FeatureCache
from thawline.training.distributed import ALONE, Group


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What training reads.

    Attributes:
        rows: training rows and class weights.
        policy: augmentation steps, applied to training images only.
        num_views: views per image that are computed once when the trunk is frozen.
        extra_labels: of the images that follow the manifest's rows in the store, int64 (E,).
    """

    manifest: Manifest
    store: ImageStore
    rows: Rows
    policy: Sequence[Step]
    num_views: int
    extra_labels: np.ndarray

    @property
    def indices(self) -> np.ndarray:
        """Rows of the store to train on: the rebalanced ones, then the extra images."""
        extras = len(self.manifest) + np.arange(len(self.extra_labels))
        return np.concatenate([self.rows.indices, extras])

    @property
    def labels(self) -> np.ndarray:
        """Of the indices, int64."""
        return np.concatenate([self.manifest.labels[self.rows.indices], self.extra_labels])


@dataclass(frozen=True, kw_only=True)
class Machine:
    """How training runs; `workers` alone does not change the result."""

    device: torch.device
    precision: str
    workers: int
    seed: int
    cache: FeatureCache | None = None
    """Where features of frozen blocks are kept between runs; None keeps them in memory only."""
    compiled: bool = False
    """Whether training runs through torch.compile."""
    group: Group = ALONE
    """The processes that train together, this one among them."""
