"""How a network is trained, as plain values: what the fit loop needs of the params."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """See thawline/sections.py for ranges."""

    stage: str
    """Section of params.yaml that messages name."""
    trainable: str
    num_blocks: int
    unfreeze_every: int
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    momentum: float
    weight_decay: float
    schedule: str
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
    patience: int
    cache: str
