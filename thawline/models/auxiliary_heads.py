"""Classifiers half-way up a network that help to train it and are not used afterwards.

Source: C. Szegedy et al., 2015, "Going deeper with convolutions", section 5.
"""

from collections.abc import Iterator

import torch
from torch import nn


class WithAuxiliary(nn.Module):
    """A block, and in training a classifier of its output beside it.

    The block's output is the body's alone; the logits are kept for `taken`.
    """

    def __init__(self, body: nn.Module, auxiliary: nn.Module, *, weight: float) -> None:
        """Args:
        auxiliary: body's output to logits; its last layer is the classifier.
        weight: of its loss over the network's own.
        """
        super().__init__()
        self.body = body
        self.auxiliary = auxiliary
        self.weight = weight
        self._logits: torch.Tensor | None = None

    @property
    def classifier(self) -> nn.Linear:
        """The layer that depends on the number of classes."""
        return [m for m in self.auxiliary.modules() if isinstance(m, nn.Linear)][-1]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.body(images)
        # A classifier that does not train says nothing: its random weights would only mislead.
        if self.training and self.classifier.weight.requires_grad:
            self._logits = self.auxiliary(outputs)
        return outputs

    def take(self) -> torch.Tensor | None:
        """Logits of the last batch, (B, num_classes), once: a kept graph could not be copied."""
        logits, self._logits = self._logits, None
        return logits


def taken(network: nn.Module) -> Iterator[tuple[torch.Tensor, float]]:
    """Auxiliary logits of the batch that has just passed, each with the weight of its loss."""
    for block in within(network):
        logits = block.take()
        if logits is not None:
            yield logits, block.weight


def within(network: nn.Module) -> Iterator[WithAuxiliary]:
    """Blocks of a network that have an auxiliary classifier."""
    return (module for module in network.modules() if isinstance(module, WithAuxiliary))
