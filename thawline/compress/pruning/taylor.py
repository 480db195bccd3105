"""Channels whose loss would change the loss function least go first; P. Molchanov et al., 2019,
"Importance estimation for neural network pruning".
"""

from collections.abc import Callable

from torch_pruning.pruner.importance import GroupTaylorImportance, Importance


def importance(*, backward: Callable[[], None]) -> Importance:
    """First order: mean over the layers that lose the channel together of sum |w dL/dw|.

    Args:
        backward: gives every weight the gradient of the loss on training images.
    """
    backward()
    return GroupTaylorImportance()
