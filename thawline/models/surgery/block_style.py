"""What stands between the convolutions of a network, so that added layers follow it."""

import copy
from collections import Counter
from dataclasses import dataclass

from torch import nn

from thawline.models.surgery.activation import is_activation


@dataclass(frozen=True, kw_only=True)
class Style:
    """Makes the normalisation and the activation that a network uses."""

    normalisation: nn.Module | None
    """The network's first one; None: it has none, and an added layer gets none."""
    activation: nn.Module
    """Of the kind that is commonest in the network."""

    def norm(self, channels: int) -> nn.Module:
        if isinstance(self.normalisation, nn.BatchNorm2d):
            like = self.normalisation
            return nn.BatchNorm2d(channels, eps=like.eps, momentum=like.momentum)
        if self.normalisation is not None:
            return nn.GroupNorm(1, channels)  # a LayerNorm that needs no permutation
        return nn.Identity()

    def activate(self) -> nn.Module:
        return copy.deepcopy(self.activation)

    @property
    def bias(self) -> bool:
        """Whether an added convolution needs one: a normalisation would remove it."""
        return self.normalisation is None


def style_of(network: nn.Module) -> Style:
    """ReLU where the network's activations are no layers."""
    modules = list(network.modules())
    norms = [m for m in modules if isinstance(m, nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm)]
    active = [m for m in modules if is_activation(m)]
    kinds = Counter(type(m) for m in active)
    kind = kinds.most_common(1)[0][0] if kinds else None
    return Style(
        normalisation=norms[0] if norms else None,
        activation=next((m for m in active if type(m) is kind), nn.ReLU()),
    )
