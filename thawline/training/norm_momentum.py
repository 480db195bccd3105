"""Running statistics of batch norm that keep up with short trainings."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_USUAL = 0.1
_MEMORIES = 100
"""How often a training should outlast what the statistics remember, 1 / momentum steps."""


def fit_to(network: nn.Module, steps: int) -> None:
    """Raise momenta that are meant for longer trainings, at most to PyTorch's usual 0.1.

    Some networks come with 0.01, e.g. MobileNet v3, for some hundred thousand steps. In 400 it
    leaves a fiftieth of the initial variance of 1 in place, which in a network of small activations
    outweighs theirs: it learns, and in evaluation mode gives the same answer for every image.

    Args:
        steps: of the whole training.
    """
    least = min(_USUAL, _MEMORIES / max(1, steps))
    for module in network.modules():
        if isinstance(module, _BatchNorm) and module.momentum is not None:
            module.momentum = max(module.momentum, least)
