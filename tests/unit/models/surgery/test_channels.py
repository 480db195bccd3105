import pytest
import torch
from torch import nn

from thawline.models.surgery.channels import counts, narrow


class Scaled(nn.Module):
    """As ConvNeXt has it: a parameter outside of any layer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * self.scale


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.GroupNorm(2, 8),
        nn.PReLU(8),
        Scaled(),
        nn.Conv2d(8, 8, 1, groups=2),
        nn.Flatten(),
        nn.LayerNorm(8),
        nn.Linear(8, 2),
    )


NAMES = ("1", "2", "3", "4", "5.scale", "6", "8")
SMALLER = {"0": (3, 4), **dict.fromkeys(NAMES, (4, 4)), "9": (4, 2)}


def test_every_kind_of_layer_is_cut_and_the_whole_computes() -> None:
    net = network()
    weights = net[0].weight.clone()
    narrow(net, SMALLER)
    assert {name: counts(net)[name] for name in SMALLER} == SMALLER
    assert torch.equal(net[0].weight, weights[:4])
    assert net[1].running_var.shape == (4,)
    assert net[2].groups == 4
    assert net[6].weight.shape == (4, 2, 1, 1)
    assert net(torch.zeros(2, 3, 5, 5)).shape == (2, 2)


def test_what_is_not_named_stays() -> None:
    net = network()
    narrow(net, {})
    assert counts(net) == counts(network())


@pytest.mark.parametrize(
    ("name", "wanted", "reason"),
    [
        ("0", (3, 9), r"'0' has \(3, 8\) channels in and out, not \(3, 9\)"),
        ("0", (3, 10**12), "channels in and out, not"),
        ("0", (3, 0), "channels in and out, not"),
        ("0", (-3, 8), "channels in and out, not"),
        ("1", (4, 6), "'1' has as many channels in as out"),
        ("2", (4, 6), "no multiples of 6 groups"),
        ("3", (3, 3), "3 is no multiple of 2 groups"),
        ("6", (3, 4), "no multiples of 2 groups"),
        ("7", (4, 4), "'7' is no layer with channels"),
        ("5", (4, 4), "'5' is no layer with channels"),
        ("0.weight", (4, 4), "is no layer with channels"),
        ("__class__", (4, 4), "is no layer with channels"),
        ("", (4, 4), "is no layer with channels"),
    ],
)
def test_what_cannot_be_is_refused(name: str, wanted: tuple[int, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        narrow(network(), {name: wanted})
