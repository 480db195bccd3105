"""What a training from scratch does to the network that a library drew."""

import math

import pytest
import torch
from torch import nn

from thawline.models.network import build
from thawline.training.create_network import calm_head


def classifier(family: str, name: str) -> tuple[nn.Sequential, nn.Linear]:
    network = build(family, name, num_classes=10, dropout=0.0, seed=0)
    return network, next(m for m in network[-1].modules() if isinstance(m, nn.Linear))


@torch.no_grad()
def test_a_loud_classifier_of_timm_gives_even_first_guesses() -> None:
    network, _ = classifier("efficientnet", "tf_efficientnet_lite0")
    images = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(16) % 10

    def loss() -> float:
        return float(nn.functional.cross_entropy(network.train()(images), labels))

    assert loss() > 2 * math.log(10)
    calm_head(network)
    assert loss() == pytest.approx(math.log(10), abs=0.2)


def test_others_stay_as_their_library_drew_them() -> None:
    network, layer = classifier("resnet", "resnet18")
    before = layer.weight.detach().clone()
    calm_head(network)
    assert torch.equal(layer.weight, before)
