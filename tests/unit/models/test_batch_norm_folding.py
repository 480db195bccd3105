"""Norms that a convolution carries."""

import copy

import pytest
import torch
from torch import nn

from thawline.models import network as networks
from thawline.models.batch_norm_folding import folded

CPU = torch.device("cpu")
FAMILIES = {
    "tf_efficientnet_lite0": "efficientnet",
    "resnet18": "resnet",
    "mobilenet_v2": "mobilenet",
    "densenet121": "densenet",
    "shufflenet_v2_x1_0": "shufflenet",
    "googlenet": "inception",
    "convnext_tiny": "convnext",
}


def moved(network: nn.Module) -> nn.Module:
    """With norms that have seen something, each in its own way."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias, 0, 0.2)
    return network.eval()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_copy_says_the_same_and_the_network_stays(name: str) -> None:
    network = networks.build(FAMILIES[name], name, num_classes=3, dropout=0.0, seed=0)
    network = moved(network)
    before = copy.deepcopy(network.state_dict())
    quick = folded(network, 64, CPU)
    images = torch.randn(4, 3, 64, 64)
    with torch.inference_mode():
        expected = network(images)
        assert (quick(images) - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    norms = [sum(isinstance(m, nn.BatchNorm2d) for m in n.modules()) for n in (network, quick)]
    # Norms before a convolution stay, as in densenet, and those that training alone runs.
    assert norms[1] == {"densenet121": 62, "googlenet": 2}.get(name, 0)
    assert (quick is network) == (name == "convnext_tiny")


class Twice(nn.Module):
    """One convolution with two readers, or run twice."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.conv(x)
        if self.kind == "readers":
            return self.norm(first) + first
        return self.norm(first) + self.norm(self.conv(first))


@pytest.mark.parametrize("kind", ["readers", "runs"])
def test_what_is_used_twice_keeps_its_norm(kind: str) -> None:
    network = moved(Twice(kind))
    assert folded(network, 8, CPU) is network


def test_norms_in_training_are_left() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)).train()
    assert folded(network, 8, CPU) is network
