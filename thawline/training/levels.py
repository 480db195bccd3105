"""Extract the features of every block in one pass, and list the groups that a head may read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch

from thawline.inference import Normalisation
from thawline.multilevel import Carried, Grid, Level, map_of, pooled
from thawline.network import Network
from thawline.training.device import numerics, to_input

TRUNK = ""
"""Stands for what the network's own head reads: the output of everything before it."""
Key = tuple[str, int]
"""A block, or TRUNK, and a grid."""
_WIDE = 512
"""Channels above which quarters would be thousands of features for little: grid 1 alone."""
_FEW, _WINDOW = 3, 5
"""Neighbouring blocks that a head reads together."""


def extract(
    trunk: Network,
    images: Iterable[np.ndarray],
    normalisation: Normalisation,
    keys: Sequence[Key] | None = None,
    *,
    precision: str,
    device: torch.device,
) -> Iterator[dict[Key, np.ndarray]]:
    """Compute the features of blocks, batch by batch.

    Args:
        trunk: named blocks without the head and without `Reading`, in evaluation mode, on the
            device.
        images: uint8 (B, S, S, 3) each.
        keys: what to compute, no block after the last of them runs; None: all of `offered`.

    Returns:
        float32 (B, D) each, D = channels * grid**2.
    """
    names = [name for name, _ in trunk.named_children()]
    asked = None if keys is None else set(keys)
    end = len(names)
    if asked is not None and all(block != TRUNK for block, _ in asked):
        end = 1 + max(names.index(block) for block, _ in asked)
    body = {name for name, block in trunk.named_children() if any(True for _ in block.parameters())}
    for batch in images:
        found: dict[Key, torch.Tensor] = {}
        with torch.inference_mode(), numerics(precision, device):
            values = to_input(batch, mean=normalisation.mean, std=normalisation.std, device=device)
            for name, block in zip(names[:end], trunk[:end], strict=True):
                values = block(values)
                for grid in _grids(values) if name in body else ():
                    if asked is None or (name, grid) in asked:
                        found[name, grid] = pooled(map_of(values), grid)
            if asked is None or (TRUNK, 1) in asked:
                found[TRUNK, 1] = values.flatten(1).float()
        yield {key: features.cpu().numpy() for key, features in found.items()}


def candidates(offered: Sequence[Key]) -> list[tuple[Key, ...]]:
    """List the groups of blocks that a head may read, those that keep the least network first.

    For each block of the last two thirds: it alone, with the two and with the four before it,
    averaged over quarters; at the end also the plain averages, and what the network's own head
    reads.

    Args:
        offered: keys in the order of the forward pass, as `extract` gives them.
    """
    blocks = list(dict.fromkeys(block for block, _ in offered if block != TRUNK))
    finest = {block: max(grid for b, grid in offered if b == block) for block in blocks}
    found: list[tuple[Key, ...]] = []
    for end in range(len(blocks) // 3, len(blocks)):
        window = blocks[max(0, end - _WINDOW + 1) : end + 1]
        found.append(((blocks[end], finest[blocks[end]]),))
        for size in (_FEW, _WINDOW):
            found.append(tuple((block, finest[block]) for block in window[-size:]))
        if end == len(blocks) - 1:
            found.append(tuple((block, 1) for block in window))
    found.append(((TRUNK, 1),))
    return list(dict.fromkeys(found))


def levels_of(keys: Sequence[Key]) -> tuple[Level, ...]:
    """Name the levels of a group; none for what the network's own head reads."""
    return tuple(
        Level.model_validate({"block": block, "grid": grid})
        for block, grid in keys
        if block != TRUNK
    )


def joined(parts: Iterable[Mapping[Key, np.ndarray]]) -> dict[Key, np.ndarray]:
    """Put batches together, float32 (N, D) each."""
    rows = list(parts)
    return {key: np.concatenate([part[key] for part in rows]) for key in rows[0]}


def _grids(values: Carried) -> tuple[Grid, ...]:
    maps = map_of(values)
    if maps.ndim != 4 or maps.shape[1] > _WIDE or min(maps.shape[2:]) < 2:
        return (1,)
    return (1, 2)
