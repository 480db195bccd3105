"""Prune channels at random: the baseline that a criterion has to beat."""

from typing import Any

import torch
from torch_pruning.pruner.importance import Importance


class _Random(Importance):  # type: ignore[misc]
    """Importance of a generator of its own; the library's draws from the global one."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def __call__(self, group: Any) -> torch.Tensor:
        return torch.rand(len(group[0].idxs), generator=self._generator)


def importance(*, generator: torch.Generator) -> Importance:
    """Rank channels by uniform random numbers."""
    return _Random(generator)
