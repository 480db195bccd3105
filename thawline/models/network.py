"""Build networks as a row of named blocks, so that any can be frozen, cut and cached alike."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from thawline.models import pretrained, weights
from thawline.models.pretrained import Loaded
from thawline.params import plugins
from thawline.params.schema.design import ORIGINAL, Design, Stem

Network = nn.Sequential
"""Named blocks in the order of the forward pass, the last one called `head`.

Input: float32 (B, 3, S, S), normalised; output: logits, float32 (B, num_classes).
"""


@dataclass(frozen=True, kw_only=True)
class Description:
    """Input that pretrained weights expect: side in px, mean and std per channel in [0, 1]."""

    image_size_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def describe(family: str, name: str) -> Description:
    """Describe the images that a network's pretrained weights expect."""
    described: Description = plugins.load(plugins.FAMILY, family).describe(name)
    return described


def build(
    family: str,
    name: str,
    *,
    num_classes: int,
    dropout: float,
    seed: int,
    stem: Stem = "imagenet",
    design: Design = ORIGINAL,
) -> Network:
    """Build a network with random weights; equal seeds give equal weights."""
    module = plugins.load(plugins.FAMILY, family)
    torch.manual_seed(seed)
    network = module.build(
        name, num_classes=num_classes, dropout=dropout, **_shape(family, stem, design)
    )
    return _designed(_as_blocks(module, network), design)


def build_pretrained(
    family: str,
    name: str,
    *,
    num_classes: int,
    dropout: float,
    seed: int,
    stem: Stem = "imagenet",
    design: Design = ORIGINAL,
    weights_file: Path | None = None,
    keep_head: bool = False,
    on_loaded: Callable[[Loaded], None] | None = None,
) -> Network:
    """Build a network with pretrained weights and a new head.

    Where stem, depth or width differ from the family's own, layers of unchanged shape keep their
    weights and the others start at random. `weights_file` is safetensors or a weights-only .pth,
    None takes the ImageNet weights; `keep_head` loads the classifier too (num_classes must be that
    of the weights); `on_loaded` is told what was taken from which file.

    Raises:
        UserError: the weights cannot be had, the file is damaged or of another network, or the
            design does not fit.
    """
    module = plugins.load(plugins.FAMILY, family)
    torch.manual_seed(seed)
    options = {"num_classes": num_classes, "dropout": dropout}
    network = module.build(name, **options, **_shape(family, stem, design))
    path = weights_file or weights.imagenet(module, family, name)
    original = network
    if stem != "imagenet" or not design.depth == design.width == 1:
        with torch.device("meta"):
            original = module.build(name, **options, **_shape(family, "imagenet", ORIGINAL))
    loaded = pretrained.load(module, network, original, path, keep_head=keep_head)
    if on_loaded is not None:
        on_loaded(loaded)
    return _designed(_as_blocks(module, network), design)


def _shape(family: str, stem: Stem, design: Design) -> dict[str, Any]:
    """Select of stem, depth and width what the family can vary; params are checked for the rest."""
    wanted = {"stem": stem, "depth": design.depth, "width": design.width}
    known = plugins.input_names(plugins.FAMILY, family)
    return {key: value for key, value in wanted.items() if key in known}


def _as_blocks(module: Any, network: nn.Module) -> Network:
    return nn.Sequential(OrderedDict(module.blocks(network)))


def _designed(network: Network, design: Design) -> Network:
    if design != ORIGINAL:
        from thawline.models.surgery.apply import apply_design  # loads both torchvision and timm

        apply_design(network, design)
    return network
