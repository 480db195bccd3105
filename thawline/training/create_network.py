"""Create the network that transfer_learn begins with."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from thawline.errors import UserError
from thawline.ingest.decided import Decided
from thawline.models import network as networks
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.models.pretrained import Loaded
from thawline.params import plugin_rules
from thawline.params.schema.design import resolve_stem
from thawline.params.schema.whole import Params


def network_of(
    params: Params,
    classes: tuple[str, ...],
    decided: Decided,
    on_loaded: Callable[[Loaded], None],
) -> tuple[Network, ModelConfig]:
    """Create a pretrained or random network, as params say, with a new head.

    `decided` says how the images were packed; `on_loaded` is told what was taken from which file.

    Raises:
        UserError: the weights cannot be had, or the design does not fit the network or the images'
            size.
    """
    m, size = params.model, decided.image_size_px
    for problem in plugin_rules.size_problems(m, size):
        raise UserError(f"params.yaml: {problem}")
    described = networks.describe(m.family, m.name)
    stem = resolve_stem(m.stem, family=m.family, weights=m.weights, image_size_px=size)
    common: dict[str, Any] = {
        "num_classes": len(classes),
        "dropout": m.dropout,
        "seed": params.seed,
        "stem": stem,
        "design": m.design,
    }
    if m.weights == "none":
        network = networks.build(m.family, m.name, **common)
        calm_head(network)
    else:
        file = Path(m.weights_file) if m.weights == "file" else None
        network = networks.build_pretrained(
            m.family, m.name, weights_file=file, on_loaded=on_loaded, **common
        )
    card = ModelConfig(
        family=m.family,
        name=m.name,
        dropout=m.dropout,
        stem=stem,
        design=m.design,
        classes=classes,
        image_size_px=size,
        fit=decided.fit,
        background=decided.background,
        bit_depth=decided.bit_depth,
        mean=described.mean,
        std=described.std,
    )
    return network, card


_STD = 0.01
"""Standard deviation by which torchvision draws the classifiers of MobileNets."""


def calm_head(network: Network) -> None:
    """Draw a classifier anew if its first logits would be far apart.

    timm draws that of the EfficientNet family within 1 / sqrt(number of classes), which suits 1,000
    classes: with ten the first loss is 7.5 instead of 2.3, and Adam spends its epochs on that.
    """
    for layer in network[-1].modules():
        if isinstance(layer, nn.Linear) and layer.weight.std() > 1 / math.sqrt(layer.in_features):
            nn.init.normal_(layer.weight, std=_STD)
            nn.init.zeros_(layer.bias)
