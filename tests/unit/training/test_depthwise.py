"""The quick depthwise gradient equals PyTorch's own, and is only taken where it applies."""

import pytest
import torch
from torch import nn

from thawline.training.cpu.quick import convolutions

CPU = torch.device("cpu")


def _layer(kernel: int, stride: int, padding: int, dilation: int, bias: bool) -> nn.Conv2d:
    torch.manual_seed(1)
    return nn.Conv2d(
        6, 6, kernel, stride=stride, padding=padding, dilation=dilation, groups=6, bias=bias
    )


def _gradients(layer: nn.Conv2d, images: torch.Tensor, *, quick: bool) -> list[torch.Tensor]:
    images = images.clone().requires_grad_(True)
    layer.zero_grad()
    with convolutions(CPU if quick else torch.device("meta"), "float32"):
        output = layer(images)
    output.pow(2).sum().backward()
    assert ("_DepthwiseBackward" in str(_functions(output.grad_fn))) is quick
    found = [output.detach(), images.grad, *(p.grad.clone() for p in layer.parameters())]  # type: ignore[union-attr]
    return [tensor for tensor in found if tensor is not None]


def _functions(function: object) -> list[object]:
    following = getattr(function, "next_functions", ())
    return [function, *(f for nested, _ in following for f in _functions(nested))]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation"),
    [
        ((2, 2), 3, 1, 1, 1),
        ((1, 1), 5, 1, 2, 1),
        ((2, 2), 5, 1, 2, 1),
        ((4, 4), 5, 2, 2, 1),
        ((3, 9), 5, 1, 2, 1),
        ((9, 3), 5, 2, 2, 1),
        ((4, 4), 5, 1, 4, 2),
        ((6, 5), 7, 3, 3, 1),
        ((2, 2), 3, 1, 3, 3),
        ((7, 8), 5, 2, 0, 1),
        ((9, 9), 9, 3, 1, 1),
    ],
)
def test_equals_pytorchs_gradient(
    size: tuple[int, int], kernel: int, stride: int, padding: int, dilation: int, bias: bool
) -> None:
    layer = _layer(kernel, stride, padding, dilation, bias)
    images = torch.randn(4, 6, *size).to(memory_format=torch.channels_last)
    expected = _gradients(layer, images, quick=False)
    for found, wanted in zip(_gradients(layer, images, quick=True), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-4)


def test_double_precision_gradient_by_finite_differences() -> None:
    layer = _layer(5, 2, 2, 1, bias=False).double()
    images = torch.randn(2, 6, 3, 4, dtype=torch.float64, requires_grad=True)
    with convolutions(CPU, "float32"):
        assert torch.autograd.gradcheck(
            lambda x, w: _convolved(layer, x, w), (images, layer.weight)
        )


def _convolved(layer: nn.Conv2d, images: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return nn.functional.conv2d(
        images, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
    )


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(6, 6, 3, padding=1, groups=6),  # the map is not smaller than the kernel
        nn.Conv2d(6, 12, 5, padding=2, groups=6),
        nn.Conv2d(6, 6, 5, padding=2),
        nn.Conv2d(6, 6, 5, padding="same", groups=6),
        nn.Conv2d(6, 6, 5, padding=2, groups=6).requires_grad_(False),
    ],
)
def test_leaves_other_convolutions_alone(layer: nn.Conv2d) -> None:
    images = torch.randn(2, 6, 4, 4, requires_grad=True)
    with convolutions(CPU, "float32"):
        assert "_DepthwiseBackward" not in str(_functions(layer(images).grad_fn))


def test_bfloat16_keeps_pytorchs_gradient() -> None:
    layer = _layer(5, 1, 2, 1, bias=False)
    with convolutions(CPU, "bfloat16"), torch.autocast("cpu", dtype=torch.bfloat16):
        output = layer(torch.randn(2, 6, 2, 2))
    assert "_DepthwiseBackward" not in str(_functions(output.grad_fn))
