"""Arguments of a call of torch.conv2d."""

from typing import NamedTuple

import torch

Pair = tuple[int, int]


class Conv2d(NamedTuple):
    """Arguments under PyTorch's names, with its defaults."""

    input: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None = None
    stride: int | Pair = 1
    padding: int | Pair | str = 0
    dilation: int | Pair = 1
    groups: int = 1
