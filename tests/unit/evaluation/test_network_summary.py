from collections import OrderedDict

import pytest
import torch
from torch import nn

from thawline.cost.flops import num_macs, num_parameters
from thawline.evaluation.network_summary import markdown, receptive_fields, summarise
from thawline.models import network as networks


def row(*blocks: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict((f"b{i}", block) for i, block in enumerate(blocks)))


def conv(kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(3, 3, kernel, stride, padding, dilation)


@pytest.mark.parametrize(
    ("blocks", "fields"),
    [
        ((conv(3), conv(3)), [3, 5]),
        ((conv(3, 2), conv(3, 2), conv(3)), [3, 7, 15]),
        ((conv(3, dilation=2), conv(1)), [5, 5]),
        ((nn.Sequential(conv(3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)),), [5]),
        ((conv(5), nn.AdaptiveAvgPool2d(1), nn.Flatten()), [5, 33, None]),
        ((conv(3), nn.LayerNorm(33), conv(3)), [3, 3, 5]),
    ],
)
def test_the_receptive_field_is_the_composed_one(
    blocks: tuple[nn.Module, ...], fields: list[int | None]
) -> None:
    assert receptive_fields(row(*blocks), 33) == fields


def test_sums_are_those_of_the_whole_network_which_stays_as_it_was() -> None:
    network = networks.build("resnet", "resnet18", num_classes=3, dropout=0.1, seed=0)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = summarise(network, 64)
    assert [b.name for b in found] == [name for name, _ in network.named_children()]
    assert sum(b.macs for b in found) == num_macs(network, 64)
    assert sum(b.parameters for b in found) == num_parameters(network)
    assert found[-1].shape == (3,)
    assert found[-1].receptive_field_px is None
    fields = [b.receptive_field_px for b in found if b.receptive_field_px is not None]
    assert fields == sorted(fields)
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert network.training
    assert all(not module._forward_hooks for module in network.modules())
    text = markdown("resnet18", 64, found)
    assert text == markdown("resnet18", 64, summarise(network, 64))
    assert "| all |" in text


def test_activations_are_those_of_every_layer() -> None:
    (found,) = summarise(row(nn.Sequential(conv(3), nn.ReLU())), 8)
    assert found.activation_bytes == 2 * 3 * 8 * 8 * 4
    assert found.macs == 8 * 8 * 27 * 3


def test_norms_that_saturate_hide_nothing() -> None:
    """timm's norms hold their activation: what they clip has no gradient."""
    network = networks.build(
        "efficientnet", "tf_efficientnet_lite0", num_classes=3, dropout=0.1, seed=0
    )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.bias.data.fill_(100.0)
    fields = [field for field in receptive_fields(network, 64) if field is not None]
    assert fields == sorted(fields)
    assert fields[-1] == 64
