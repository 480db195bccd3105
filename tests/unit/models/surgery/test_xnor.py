from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from thawline.models.convolutions.xnor import replace
from thawline.models.surgery.binary import BinaryConv2d, hard_sign
from thawline.models.surgery.block_style import Style
from thawline.models.surgery.packed_xnor import PackedConv2d, holds_bits, pack

STYLE = Style(normalisation=nn.BatchNorm2d(1), activation=nn.ReLU())
GEOMETRIES = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "padding": 1, "stride": 2, "bias": False},
    {"kernel_size": 1},
    {"kernel_size": 1, "stride": 2},
    {"kernel_size": 5, "padding": 4, "dilation": 2},
    {"kernel_size": (1, 7), "padding": (0, 3)},
    {"kernel_size": 3, "padding": "same"},
]


def binary(channels: int = 70, *, scale_inputs: bool = False, **geometry: object) -> BinaryConv2d:
    """A layer with statistics that are not the neutral ones."""
    torch.manual_seed(0)
    conv = nn.Conv2d(channels, 24, **geometry)  # type: ignore[arg-type]
    layer = replace(conv, STYLE, scale_inputs=scale_inputs)
    assert isinstance(layer, BinaryConv2d)
    layer.norm.running_mean.normal_()
    layer.norm.running_var.uniform_(0.5, 2)
    return layer.eval()


def images(channels: int = 70, size: int = 9) -> torch.Tensor:
    return torch.randn(2, channels, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("scale_inputs", [False, True])
def test_bits_give_every_bit_of_the_simulation(
    geometry: dict[str, object], scale_inputs: bool
) -> None:
    layer = binary(scale_inputs=scale_inputs, **geometry)
    with torch.inference_mode():
        assert torch.equal(PackedConv2d(layer)(images()), layer(images()))


@pytest.mark.parametrize("channels", [1, 8, 63, 64, 65, 128])
def test_any_number_of_channels_packs(channels: int) -> None:
    layer = binary(channels, kernel_size=3, padding=1)
    with torch.inference_mode():
        assert torch.equal(PackedConv2d(layer)(images(channels)), layer(images(channels)))


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_shapes_are_those_of_the_convolution(geometry: dict[str, object]) -> None:
    conv = nn.Conv2d(70, 24, **geometry)  # type: ignore[arg-type]
    assert binary(**geometry)(images()).shape == conv(images()).shape


def test_an_output_is_a_sum_of_signs_times_the_mean_weight() -> None:
    layer = binary(4, kernel_size=1, bias=False)
    found = layer(images(4, size=1))
    signs = hard_sign(layer.norm(images(4, size=1))).flatten(1)
    weights = layer.weight.flatten(1)
    expected = signs @ (hard_sign(weights) * weights.abs().mean(dim=1, keepdim=True)).T
    assert torch.allclose(found.flatten(1), expected, atol=1e-6)


def test_zero_has_a_sign() -> None:
    assert hard_sign(torch.tensor([-1e-9, -0.0, 0.0, 2.0])).tolist() == [-1, 1, 1, 1]


def test_gradients_pass_a_sign_between_minus_one_and_one_only() -> None:
    layer = binary(4, kernel_size=1, bias=False).train()
    nn.init.ones_(layer.norm.weight)
    inputs = (4 * images(4)).requires_grad_()
    layer(inputs).square().sum().backward()
    assert inputs.grad is not None
    assert inputs.grad.any()
    assert layer.weight.grad is not None
    assert (layer.weight.grad != 0).all()
    with torch.no_grad():
        layer.weight.fill_(2.0)
    layer.weight.grad = None
    layer(inputs).sum().backward()
    # Beyond 1 only the scale |W| has a gradient, which is the same for each weight of a filter.
    assert torch.allclose(layer.weight.grad.std(dim=1), torch.zeros(()), atol=1e-6)


def test_the_file_of_packed_layers_is_at_least_20_times_smaller(tmp_path: Path) -> None:
    network = nn.Sequential(*(binary(64, kernel_size=3, padding=1) for _ in range(3)))
    floats = sum(m.weight.nbytes for m in network.modules() if isinstance(m, BinaryConv2d))
    assert pack(network) == 3
    state = {k: v for k, v in network.state_dict().items() if ".norm." not in k}
    assert holds_bits(state)
    save_file(state, tmp_path / "packed.safetensors")
    assert floats / (tmp_path / "packed.safetensors").stat().st_size >= 20


def test_grouped_layers_stay_as_they_are() -> None:
    assert replace(nn.Conv2d(8, 8, 3, groups=8), STYLE) is None
