"""Context of a training: the data that it reads and the machine that it runs on."""

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
    """Data that training reads.

    Attributes:
        manifest: one row per image.
        store: packed images.
        rows: training rows and class weights.
        policy: augmentation steps, applied to training images only.
        num_views: views per image that are computed once when the trunk is frozen.
        extra_labels: classes of the images that follow the manifest's rows in the store, int64
            (E,).
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
        """Classes of the indices, int64."""
        return np.concatenate([self.manifest.labels[self.rows.indices], self.extra_labels])


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Machine that training runs on; `workers` alone does not change the result."""

    device: torch.device
    precision: str
    workers: int
    seed: int
    cache: FeatureCache | None = None
    """Folder of features of frozen blocks, kept between runs; None keeps them in memory only."""
    compiled: bool = False
    """True where training runs through torch.compile."""
    group: Group = ALONE
    """Processes that train together, this one among them."""
