import pytest
import torch
import torchvision
from torch import nn

from thawline.cost.flops import num_macs, num_parameters


def test_resnet18_costs_what_its_documentation_says() -> None:
    network = (
        torchvision.models.resnet18()
    )  # torchvision states 1.814 GFLOPS and 11,689,512 parameters
    assert num_macs(network, 224) / 1e9 == pytest.approx(1.814, abs=0.001)
    assert num_parameters(network) == 11_689_512


def test_depthwise_convolution_is_counted_by_group() -> None:
    depthwise = nn.Conv2d(3, 3, 3, padding=1, groups=3)
    assert num_macs(depthwise, 8) == 8 * 8 * 3 * 9


def test_counting_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    network[1].eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    num_macs(network, 8)
    assert [m.training for m in network] == [True, False, True]
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
