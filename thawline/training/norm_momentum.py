"""Make running statistics of batch norm keep up with short trainings."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_USUAL = 0.1
_MEMORIES = 100
"""Training steps over 1 / momentum, the steps that the statistics remember; at least."""


def fit_to(network: nn.Module, steps: int) -> None:
    """Raise batch-norm momenta that are meant for longer trainings, to PyTorch's 0.1 at most.

    Some networks come with 0.01, e.g. MobileNet v3, for some hundred thousand steps. In 400 it
    leaves a fiftieth of the initial variance of 1 in place, which in a network of small activations
    outweighs theirs: it learns, and in evaluation mode gives the same answer for every image.
    `steps` are those of the whole training.
    """
    least = min(_USUAL, _MEMORIES / max(1, steps))
    for module in network.modules():
        if isinstance(module, _BatchNorm) and module.momentum is not None:
            module.momentum = max(module.momentum, least)
