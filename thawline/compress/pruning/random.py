"""Channels go by chance: what a criterion has to beat."""

from typing import Any

import torch
from torch_pruning.pruner.importance import Importance


class _Random(Importance):  # type: ignore[misc]
    """The library's own draws from the global generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def __call__(self, group: Any) -> torch.Tensor:
        return torch.rand(len(group[0].idxs), generator=self._generator)


def importance(*, generator: torch.Generator) -> Importance:
    """Uniform numbers."""
    return _Random(generator)
