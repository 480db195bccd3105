"""Choose the batch size: as params say, or with `auto` as many images as fit on a GPU."""

import copy
from collections.abc import Callable

import torch

from thawline.errors import UserError
from thawline.models import precision
from thawline.models.checkpoint import ModelConfig
from thawline.models.device import numerics
from thawline.models.network import Network
from thawline.params.schema.whole import Params
from thawline.runtime.progress import log
from thawline.training.context import Machine
from thawline.training.out_of_memory import is_shortage

LARGEST = 256
"""Images of a batch, beyond which the usual learning rates and numbers of epochs no longer
suit, however much fits."""


ON_CPU = 32
"""Batch size of `auto` on a CPU, whose memory has no edge that could be found; the recipes are for
32. Also where several processes share a batch: what fits on one GPU may not fit on another."""


def choose(params: Params, network: Network, card: ModelConfig, machine: Machine) -> int:
    """Choose the batch size of a stage.

    Raises:
        UserError: with `auto`, not even two images fit into memory.
    """
    wanted = params.training.batch_size
    if isinstance(wanted, int):
        return wanted
    if machine.device.type == "cpu" or machine.group.size > 1:
        return ON_CPU
    found = largest(lambda size: _try(size, network, card, machine))
    log(f"training.batch_size: auto takes {found}")
    return found


def largest(attempt: Callable[[int], None], start: int = LARGEST) -> int:
    """Find the first of start, start / 2, ... that fits into memory.

    `attempt` takes a size and raises what PyTorch raises where memory runs out.

    Raises:
        UserError: not even two images fit.
    """
    size = start
    while size >= 2:
        try:
            attempt(size)
            return size
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
        # Outside of the handler: the error holds on to the tensors of the attempt.
        torch.cuda.empty_cache()
        size //= 2
    raise UserError("params.yaml: training.batch_size: auto: not even 2 images fit into memory")


def _try(size: int, network: Network, card: ModelConfig, machine: Machine) -> None:
    """Train everything for one step, with an optimiser that keeps two values per weight."""
    device = machine.device
    tried = copy.deepcopy(network).to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    tried.requires_grad_(True)
    optimizer = torch.optim.Adam(tried.parameters())
    side = card.image_size_px
    images = torch.rand(size, 3, side, side, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    numeric = precision.choose(machine.precision, network, device).training
    with numerics(numeric, device):
        outputs = tried(images)
    outputs.float().square().mean().backward()
    optimizer.step()
