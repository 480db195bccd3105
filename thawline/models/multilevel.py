"""Cut a network after one of its blocks and let the head read several blocks at once.

Source: U. Evci et al., 2022, "Head2Toe: utilizing intermediate representations for better transfer
learning", arXiv 2201.03529; that the last blocks of a network can be of no use to another task: W.
Masarczyk et al., 2023, "The tunnel effect", arXiv 2305.19753.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import nn
from torch.nn import functional

Grid = Literal[1, 2, 3, 4]
Carried = torch.Tensor | tuple[torch.Tensor, torch.Tensor]
"""Value between two blocks: a feature map, or one and the features (B, D) read so far."""


LEAST_LENGTH = 1e-6
"""Smallest divisor of a row; where the head was solved the mean length is about one."""


class Level(BaseModel):
    """Block whose output the head reads.

    Attributes:
        block: its name in the network.
        grid: 1 averages each channel over the whole map, 2 over each quarter of it, 3 and 4 over
            each of nine and sixteen parts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    block: str
    grid: Grid


class Reading(nn.Module):
    """Block that hands on its output and, beside it, the features read so far.

    The last block that is read hands on the features alone.
    """

    def __init__(self, block: nn.Module, grid: Grid | None, *, last: bool) -> None:
        super().__init__()
        self.block = block
        self.grid, self.last = grid, last

    def forward(self, carried: Carried) -> Carried:
        maps, features = carried if isinstance(carried, tuple) else (carried, None)
        maps = self.block(maps)
        if self.grid is not None:
            own = pooled(maps, self.grid)
            features = own if features is None else torch.cat([features, own], dim=1)
        assert features is not None, "the first block of this kind is one that is read"
        return features if self.last else (maps, features)


class Standardise(nn.Module):
    """Layer that centres and scales each feature by fixed numbers, then gives rows length one.

    It is a module of its own so that gradient descent sees features of one scale.
    """

    mean: torch.Tensor
    inverse_std: torch.Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("inverse_std", torch.ones(num_features))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Standardise features, float32 (B, D), to the same shape."""
        rows = (features - self.mean) * self.inverse_std
        length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        # A sum or a clamp would get an int8 range of its own.
        given: torch.Tensor = rows / torch.maximum(length, length.new_full((), LEAST_LENGTH))
        return given


def pooled(maps: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Average each channel over the map or over equal parts of it.

    Not by PyTorch's adaptive pooling, which ONNX cannot express where a side is no multiple of the
    grid. Parts of such a map overlap, as the quarters of one of odd sides do in the middle.

    Args:
        maps: (B, C, H, W), H and W at least grid; or features (B, C), which are returned as they
            are.
        grid: parts along each side.

    Returns:
        (B, C * grid**2), part after part, float32 or wider.
    """
    if maps.dtype in (torch.bfloat16, torch.float16):
        maps = maps.float()  # a mean of thousands of values has more digits than they have
    if maps.ndim == 2:
        return maps
    if grid == 1:
        return maps.mean(dim=(2, 3))
    stride = [side // grid for side in maps.shape[2:]]
    kernel = [side - step * (grid - 1) for side, step in zip(maps.shape[2:], stride, strict=True)]
    parts = functional.avg_pool2d(maps, kernel, stride)
    # Not permuted and flattened: of that torch-pruning cuts the wrong columns, without an error.
    places = [(row, column) for row in range(grid) for column in range(grid)]
    return torch.cat([parts[:, :, row, column] for row, column in places], dim=1)


def map_of(carried: Carried) -> torch.Tensor:
    """Take the feature map out of what a block hands on, or the features where no map is left."""
    return carried[0] if isinstance(carried, tuple) else carried


def read_levels(
    network: nn.Sequential, levels: Sequence[Level], *, num_features: int, num_classes: int
) -> nn.Sequential:
    """Cut a network after the last of the levels and give it a head that reads all of them.

    Args:
        network: named blocks, the last one called `head`; its blocks are shared, not copied.
        levels: at least one, in the order of the forward pass.
        num_features: features of all levels together, see `count_features`.
        num_classes: outputs of the head.

    Returns:
        The blocks up to the last level and a head: `Standardise`, no dropout (the head was
        solved without), a linear classifier of zeros.

    Raises:
        ValueError: a level names a block that the network does not have, or the head, or blocks
            come twice or out of order.
    """
    names = [name for name, _ in network[:-1].named_children()]
    grids = {level.block: level.grid for level in levels}
    wanted = [level.block for level in levels]
    if not wanted or [name for name in names if name in grids] != wanted:
        raise ValueError(
            f"levels {', '.join(wanted)}: expected some of {', '.join(names)}, in this order"
        )
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    for name, block in network.named_children():
        if name in grids or any(isinstance(b, Reading) for b in blocks.values()):
            block = Reading(block, grids.get(name), last=name == wanted[-1])
        blocks[name] = block
        if name == wanted[-1]:
            break
    classifier = nn.Linear(num_features, num_classes, device="meta")  # where nothing is drawn
    classifier.to_empty(device="cpu")
    nn.init.zeros_(classifier.weight)
    nn.init.zeros_(classifier.bias)
    blocks["head"] = nn.Sequential(Standardise(num_features), classifier)
    return nn.Sequential(blocks)


def count_features(network: nn.Sequential, levels: Sequence[Level], image_size_px: int) -> int:
    """Count the features of all levels together, by running one image of zeros.

    `network` is as before `read_levels`, in evaluation mode.
    """
    grids = {level.block: level.grid for level in levels}
    values = torch.zeros(1, 3, image_size_px, image_size_px)
    total = 0
    with torch.no_grad():
        for name, block in network[:-1].named_children():
            values = block(values)
            if name in grids:
                total += pooled(values, grids[name]).shape[1]
            if name == levels[-1].block:
                break
    return total
