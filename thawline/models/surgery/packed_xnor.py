"""Run binary convolutions with weights as bits, by XNOR and popcount instead of products.

Two signs multiply to +1 where their bits are equal, so a sum over n of them is n minus twice the
number of bits that differ. Sums are whole numbers, so they equal those of `binary.BinaryConv2d`
exactly. For inference on the CPU: nothing here has a gradient.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from thawline.models.surgery.binary import BinaryConv2d, filter_scale, scaled
from thawline.models.surgery.layers import Pair, replace_module

BITS = "bits"


class PackedConv2d(nn.Module):
    """Layer with the same outputs as a trained BinaryConv2d, bit by bit; float32 (B, C, H, W).

    Its state holds 8 weights a byte in place of float32 ones: uint8 (C', k, k, C / 8 rounded up).
    """

    bits: torch.Tensor
    filter_scale: torch.Tensor

    def __init__(self, layer: BinaryConv2d) -> None:
        super().__init__()
        weight = layer.weight.detach()
        signs = (weight >= 0).permute(0, 2, 3, 1).numpy()
        self.norm, self.bias = layer.norm, layer.bias
        self.shape, self.scale_inputs = layer.shape, layer.scale_inputs
        self.channels = weight.shape[1]
        self.register_buffer(BITS, torch.from_numpy(np.packbits(signs, axis=-1)))
        self.register_buffer("filter_scale", filter_scale(weight))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        normalised = self.norm(images)
        padded = self.shape.padded(normalised, value=1.0)
        signs = (padded >= 0).permute(0, 2, 3, 1).numpy()
        filters = _words(self.bits.numpy())
        images_words = _words(np.packbits(signs, axis=-1))
        differing = differing_bits(images_words, filters, self.shape.stride, self.shape.dilation)
        total = self.channels * self.shape.kernel[0] * self.shape.kernel[1]
        sums = torch.from_numpy((total - 2 * differing).astype(np.float32)).permute(0, 3, 1, 2)
        inputs = self.shape.input_scale(normalised) if self.scale_inputs else None
        return scaled(sums, self.filter_scale, inputs, self.bias)


def pack(network: nn.Module) -> int:
    """Replace binary layers by packed ones; return how many there were."""
    layers = [m for m in network.modules() if isinstance(m, BinaryConv2d)]
    for layer in layers:
        replace_module(network, layer, PackedConv2d(layer))
    return len(layers)


def pack_like(network: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Pack the binary layers if the state dict is that of a packed network."""
    if holds_bits(state):
        pack(network)


def holds_bits(state: Mapping[str, torch.Tensor]) -> bool:
    """Tell whether a state dict is that of a packed network."""
    return any(name.rsplit(".", 1)[-1] == BITS for name in state)


def differing_bits(
    images: np.ndarray, filters: np.ndarray, stride: Pair, dilation: Pair
) -> np.ndarray:
    """Count differing bits under every position of the kernel, in NumPy's compiled loops.

    Bits beyond the last channel are 0 in both and never differ. `images` are words, uint64
    (B, H, W, D), padded already; `filters` are words, uint64 (C', k, k, D).

    Returns:
        int32 (B, H', W', C').
    """
    rows, columns = _outputs(images.shape, filters.shape, stride, dilation)
    differing = np.zeros((len(images), rows, columns, len(filters)), np.int32)
    for i in range(filters.shape[1]):
        for j in range(filters.shape[2]):
            top, left = i * dilation[0], j * dilation[1]
            window = images[
                :,
                top : top + (rows - 1) * stride[0] + 1 : stride[0],
                left : left + (columns - 1) * stride[1] + 1 : stride[1],
            ]
            for word in range(filters.shape[3]):
                different = window[..., word, None] ^ filters[:, i, j, word]
                differing += np.bitwise_count(different)
    return differing


def _outputs(
    images: tuple[int, ...], filters: tuple[int, ...], stride: Pair, dilation: Pair
) -> Pair:
    rows, columns = (
        (images[1 + axis] - dilation[axis] * (filters[1 + axis] - 1) - 1) // stride[axis] + 1
        for axis in (0, 1)
    )
    return rows, columns


def _words(packed: np.ndarray) -> np.ndarray:
    """View bytes (..., n) as 64-bit words (..., n / 8 rounded up), filled with 0."""
    missing = -packed.shape[-1] % 8
    filled = np.pad(packed, [(0, 0)] * (packed.ndim - 1) + [(0, missing)])
    return np.ascontiguousarray(filled).view(np.uint64)
