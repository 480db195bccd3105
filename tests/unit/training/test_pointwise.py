"""1 x 1 convolutions as matrix products equal PyTorch's, and are taken only where they apply."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from thawline.training.cpu import pointwise
from thawline.training.cpu.quick import convolutions

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def of_256_bits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The vectors of the processor, whatever it has."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    pointwise.has_wide_vectors.cache_clear()
    yield
    pointwise.has_wide_vectors.cache_clear()


def _gradients(layer: nn.Conv2d, images: torch.Tensor, device: torch.device) -> list[torch.Tensor]:
    images = images.clone(memory_format=torch.preserve_format).requires_grad_(True)
    layer.zero_grad()
    with convolutions(device, "float32"):
        output = layer(images)
    output.pow(2).sum().backward()
    assert _is_product(output) is (device == CPU)
    found = [output.detach(), images.grad, *(p.grad.clone() for p in layer.parameters())]  # type: ignore[union-attr]
    return [tensor for tensor in found if tensor is not None]


def _is_product(output: torch.Tensor) -> bool:
    return "Permute" in str(output.grad_fn)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (7, 7)])
def test_equals_pytorchs_own(size: tuple[int, int], bias: bool) -> None:
    torch.manual_seed(1)
    layer = nn.Conv2d(6, 10, 1, bias=bias).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(4, 6, *size).to(memory_format=torch.channels_last)
    expected = _gradients(layer, images, torch.device("meta"))
    found = _gradients(layer, images, CPU)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)
    assert found[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"kernel_size": 1}, 8),
        ({"kernel_size": 1, "stride": 2}, 4),
        ({"kernel_size": 1, "padding": 1}, 4),
        ({"kernel_size": 1, "groups": 2}, 4),
        ({"kernel_size": 3, "padding": 1}, 4),
    ],
)
def test_leaves_other_convolutions_alone(options: dict[str, Any], size: int) -> None:
    images = torch.randn(2, 6, size, size).to(memory_format=torch.channels_last)
    with convolutions(CPU, "float32"):
        assert not _is_product(nn.Conv2d(6, 6, **options)(images))


def test_needs_channels_last_and_weights_that_train() -> None:
    layer, images = nn.Conv2d(6, 6, 1), torch.randn(2, 6, 4, 4, requires_grad=True)
    with convolutions(CPU, "float32"):
        assert not _is_product(layer(images))
        frozen = layer.requires_grad_(False)
        assert not _is_product(frozen(images.to(memory_format=torch.channels_last)))


def test_is_left_to_pytorch_where_vectors_are_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    images = torch.randn(2, 6, 4, 4).to(memory_format=torch.channels_last)
    with convolutions(CPU, "float32"):
        assert not _is_product(nn.Conv2d(6, 6, 1)(images))
