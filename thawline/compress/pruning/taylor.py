"""Prune channels first whose removal changes the loss least, to first order (Taylor).

Source: P. Molchanov et al., 2019, "Importance estimation for neural network pruning".
"""

from collections.abc import Callable

from torch_pruning.pruner.importance import GroupTaylorImportance, Importance


def importance(*, backward: Callable[[], None]) -> Importance:
    """Rank by the sum of |w dL/dw|, averaged over the layers that lose the channel together.

    `backward` gives every weight the gradient of the loss on training images.
    """
    backward()
    return GroupTaylorImportance()
