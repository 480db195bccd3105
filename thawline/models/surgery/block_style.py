"""Norm and activation between a network's convolutions, so that added layers follow them."""

import copy
from collections import Counter
from dataclasses import dataclass

from torch import nn

from thawline.models.surgery.activation import is_activation


@dataclass(frozen=True, kw_only=True)
class Style:
    """Normalisation and activation that a network uses, to make more of them."""

    normalisation: nn.Module | None
    """First normalisation of the network; None: it has none, and an added layer gets none."""
    activation: nn.Module
    """Activation of the kind that is most common in the network."""

    def norm(self, channels: int) -> nn.Module:
        """Build a normalisation for so many channels."""
        if isinstance(self.normalisation, nn.BatchNorm2d):
            like = self.normalisation
            return nn.BatchNorm2d(channels, eps=like.eps, momentum=like.momentum)
        if self.normalisation is not None:
            return nn.GroupNorm(1, channels)  # a LayerNorm that needs no permutation
        return nn.Identity()

    def activate(self) -> nn.Module:
        """Build an activation."""
        return copy.deepcopy(self.activation)

    @property
    def bias(self) -> bool:
        """True where an added convolution needs a bias, which a normalisation would remove."""
        return self.normalisation is None


def style_of(network: nn.Module) -> Style:
    """Read the style of a network; its activation is ReLU where activations are no layers."""
    modules = list(network.modules())
    norms = [m for m in modules if isinstance(m, nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm)]
    active = [m for m in modules if is_activation(m)]
    kinds = Counter(type(m) for m in active)
    kind = kinds.most_common(1)[0][0] if kinds else None
    return Style(
        normalisation=norms[0] if norms else None,
        activation=next((m for m in active if type(m) is kind), nn.ReLU()),
    )
