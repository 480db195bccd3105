"""Sections of the network and of how any training of it runs."""

from typing import Annotated, Literal

from pydantic import Field

from thawline.params.schema.base import Name, PathText, PluginName, Section
from thawline.params.schema.design import Design


class Model(Section):
    """Section `model`: architecture, weights and design."""

    family: PluginName
    """Module of thawline/models/architectures/."""
    name: Name
    """Network as torchvision or timm spells it."""
    weights: Literal["imagenet", "none", "file"]
    weights_file: PathText
    """safetensors or weights-only checkpoint, with `weights: file`; else `data/none`."""
    dropout: Annotated[float, Field(ge=0, lt=1)]
    """Share of the features dropped before the classifier."""
    stem: Literal["auto", "imagenet", "small"]
    """First layers; small keeps the resolution; auto: small for 64 px and less without weights."""
    design: Design
    """Changes to the family's own network."""


class Training(Section):
    """Section `training`: machine and batches of any training."""

    threads: Annotated[int, Field(ge=1, le=512)]
    """Threads of PyTorch; part of the result, since it changes the order of sums."""
    workers: Annotated[int, Field(ge=0, le=128)] | Literal["auto"]
    """Processes that augment; 0 augments in the training process. Does not change the result."""
    batch_size: Annotated[int, Field(ge=2, le=65_536)] | Literal["auto"]
    """Images of a step, over all devices; auto: as many as fit on the GPU, fewer with a larger
    network."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Numerics; auto: by the rule of thawline/models/precision.py for network and device."""
    device: Literal["auto", "cpu", "cuda"]
    devices: Annotated[int, Field(ge=1, le=4096)]
    """Processes that train together, each on its share of every batch and on a GPU of its own where
    there is one; changes the last bits of a result."""
    deterministic: bool
    """On a GPU: the same bits each time, at the cost of some speed; a CPU always gives them."""
    compile: bool
    """Train through torch.compile: needs a C++ compiler, and about a minute at the start."""
    cache_gb: Annotated[float, Field(ge=0, le=1e6)]
    """GB of features of frozen blocks on disk, kept between runs; also the most that `cache: views`
    may take, else the blocks run in each epoch."""
    checkpoint_minutes: Annotated[float, Field(ge=0, le=1e6)]
    """Minutes of training within an epoch after which a checkpoint is written too, to resume from;
    0: after epochs only. Does not change the result."""
