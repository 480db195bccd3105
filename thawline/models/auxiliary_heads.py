"""Auxiliary classifiers half-way up a network, which help to train it and are not used afterwards.

Source: C. Szegedy et al., 2015, "Going deeper with convolutions", section 5.
"""

from collections.abc import Iterator

import torch
from torch import nn


class WithAuxiliary(nn.Module):
    """Block with a classifier of its output beside it, which runs in training only.

    The block's output is the body's alone; the logits are kept for `take`.
    """

    def __init__(self, body: nn.Module, auxiliary: nn.Module, *, weight: float) -> None:
        """Put a classifier beside a block.

        Args:
            body: the block.
            auxiliary: turns the body's output into logits; its last layer is the classifier.
            weight: weight of its loss, over that of the network's own.
        """
        super().__init__()
        self.body = body
        self.auxiliary = auxiliary
        self.weight = weight
        self._logits: torch.Tensor | None = None

    @property
    def classifier(self) -> nn.Linear:
        """Last layer, which depends on the number of classes."""
        return [m for m in self.auxiliary.modules() if isinstance(m, nn.Linear)][-1]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.body(images)
        # A classifier that does not train says nothing: its random weights would only mislead.
        if self.training and self.classifier.weight.requires_grad:
            self._logits = self.auxiliary(outputs)
        return outputs

    def take(self) -> torch.Tensor | None:
        """Return the last batch's logits, (B, num_classes), once: a kept graph cannot be copied."""
        logits, self._logits = self._logits, None
        return logits


def taken(network: nn.Module) -> Iterator[tuple[torch.Tensor, float]]:
    """Yield auxiliary logits of the last batch, each with the weight of its loss."""
    for block in within(network):
        logits = block.take()
        if logits is not None:
            yield logits, block.weight


def within(network: nn.Module) -> Iterator[WithAuxiliary]:
    """Yield the blocks of a network that have an auxiliary classifier."""
    return (module for module in network.modules() if isinstance(module, WithAuxiliary))
