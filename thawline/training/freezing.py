"""Freeze blocks of a network: set what trains and what stays as it is.

A frozen block keeps its batch-norm statistics too: parameters and buffers are bit-identical
after training.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import nn

from thawline.models.multilevel import Reading
from thawline.models.network import Network

_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """Result of freezing.

    Attributes:
        cut: index of the first block that trains; blocks before it form a fixed function. It is
            smaller where the block in front hands on a map and features: the blocks between are
            frozen too.
        trained: indices of the blocks in training mode.
        keep_statistics: whether batch norm keeps its statistics in those too, and uses them.
    """

    cut: int
    trained: frozenset[int]
    keep_statistics: bool = False

    def after_cut(self) -> "Frozen":
        """Return the same for `network[cut:]`."""
        moved = frozenset(index - self.cut for index in self.trained)
        return replace(self, cut=0, trained=moved)

    def train_mode(self, network: Network) -> None:
        """Set training mode where something trains, and evaluation mode elsewhere.

        Evaluation mode keeps batch-norm statistics fixed.
        """
        for index, block in enumerate(network):
            block.train(index in self.trained)
        if self.keep_statistics:
            for module in network.modules():
                if isinstance(module, nn.modules.batchnorm._NormBase):
                    module.eval()


def freeze(
    network: Network, trainable: str, num_blocks: int = 0, *, keep_statistics: bool = False
) -> Frozen:
    """Freeze all but what `trainable` names: set requires_grad of every parameter.

    Args:
        network: blocks; the last one, the head, always trains.
        trainable: head | last_blocks | first_blocks | all | norm (affine parameters of the
            normalisation layers) | bias (every bias).
        num_blocks: for last_blocks and first_blocks, counted over blocks with parameters,
            without the head.
        keep_statistics: whether batch norm keeps its statistics in blocks that train too.
    """
    whole, partial = _chosen(network, trainable, num_blocks)
    for index, block in enumerate(network):
        block.requires_grad_(index in whole)
        if index in partial:
            for parameter in _selected(block, trainable):
                parameter.requires_grad_(True)
    trained = frozenset(i for i, block in enumerate(network) if _trains(block))
    # `bias` leaves the statistics alone: they belong to the weights that stay.
    modes = whole if trainable == "bias" else trained
    cut = min(trained)
    while _hands_on_features(network[:cut]):
        cut -= 1
    return Frozen(cut=cut, trained=frozenset(modes), keep_statistics=keep_statistics)


def trainable_blocks(network: Network) -> list[int]:
    """List the indices of the blocks with parameters, without the head."""
    return [i for i, b in enumerate(network[:-1]) if any(True for _ in b.parameters())]


def _chosen(network: Network, trainable: str, num_blocks: int) -> tuple[set[int], set[int]]:
    """Choose blocks that train as a whole, and blocks of which some parameters train."""
    body, head = trainable_blocks(network), len(network) - 1
    if trainable == "last_blocks":
        return {*body[max(0, len(body) - num_blocks) :], head}, set()
    if trainable == "first_blocks":
        return {*body[:num_blocks], head}, set()
    if trainable == "all":
        return {*body, head}, set()
    return {head}, set(body) if trainable in ("norm", "bias") else set()


def _selected(block: nn.Module, trainable: str) -> Iterable[nn.Parameter]:
    if trainable == "bias":
        return [p for name, p in block.named_parameters() if name.rsplit(".", 1)[-1] == "bias"]
    return [
        p for m in block.modules() if isinstance(m, _NORMS) for p in m.parameters(recurse=False)
    ]


def _trains(block: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in block.parameters())


def _hands_on_features(blocks: Network) -> bool:
    """Tell whether the last of the blocks hands on a map and features beside it."""
    last = blocks[-1] if len(blocks) else None
    return isinstance(last, Reading) and not last.last
