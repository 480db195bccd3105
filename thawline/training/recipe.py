"""Values of a training section without `auto`, as the training loop reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Values of one training; thawline/params/schema/recipes.py has meanings and ranges."""

    stage: str
    """Section of params.yaml, as messages name it."""
    trainable: str
    num_blocks: int
    unfreeze_every: int
    norm_statistics: str
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    momentum: float
    switch: str
    switch_epochs: int
    switch_learning_rate: float
    weight_decay: float
    schedule: str
    decay_every: int
    decay_factor: float
    warmup_ratio: float
    loss: str
    focal_gamma: float
    logit_adjustment: float
    label_smoothing: float
    mixup_alpha: float
    cutmix_alpha: float
    random_erasing: float
    layer_decay: float
    ema_decay: float
    clip_norm: float
    accumulate: int
    patience: int
    cache: str
    distill: Mapping[str, Any] | None = None
    """Checkpoint, temperature and weight of fine_tune's teacher."""
