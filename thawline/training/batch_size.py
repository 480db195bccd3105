"""How many images make a step: what params say, or with `auto` as many as a GPU takes."""

import copy
from collections.abc import Callable

import torch

from thawline.errors import UserError
from thawline.models.checkpoint import ModelConfig
from thawline.models.device import numerics
from thawline.models.network import Network
from thawline.models.precision import choose
from thawline.params.schema.whole import Params
from thawline.runtime.progress import log
from thawline.training.context import Machine
from thawline.training.out_of_memory import is_shortage

LARGEST = 256
"""Beyond it the usual learning rates and numbers of epochs no longer suit, however much fits."""


ON_CPU = 32
"""A CPU's memory has no edge that could be found, and the recipes are for 32. So is `auto` where
several processes share a batch: what fits on one of their GPUs may not fit on another."""


def of(params: Params, network: Network, card: ModelConfig, machine: Machine) -> int:
    """The batch size of a stage.

    Raises:
        UserError: nothing fits.
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
    """The first of start, start / 2, ... that fits.

    Args:
        attempt: raises what PyTorch raises where memory ends.

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
    """A step that trains everything, with an optimiser that keeps two values per weight."""
    device = machine.device
    tried = copy.deepcopy(network).to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    tried.requires_grad_(True)
    optimizer = torch.optim.Adam(tried.parameters())
    side = card.image_size_px
    images = torch.rand(size, 3, side, side, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    numeric = choose(machine.precision, network, device).training
    with numerics(numeric, device):
        outputs = tried(images)
    outputs.float().square().mean().backward()
    optimizer.step()
