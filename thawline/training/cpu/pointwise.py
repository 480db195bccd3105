"""Compute 1 x 1 convolutions on small feature maps as matrix products, on the CPU.

oneDNN brings weights and gradients into an order of its own and back at every step of training,
which on a map of few positions takes longer than the product where vectors have 256 bits, and not
where they have 512. See benchmarks/convolutions.py.
"""

import math
from functools import cache

import torch
from torch.nn import functional

from thawline.training.cpu.conv2d_call import Conv2d

_MOST_POSITIONS = 49
"""Positions of a map, 7 x 7. On larger ones oneDNN was as fast or faster."""


def applies(call: Conv2d) -> bool:
    """Tell whether a call is one matrix product over positions, and faster as such."""
    if has_wide_vectors():
        return False
    plain = call.groups == 1 and math.prod(call.weight.shape[2:]) == 1
    still = _is(call.stride, 1) and (call.padding == "valid" or _is(call.padding, 0))
    small = math.prod(call.input.shape[2:]) <= _MOST_POSITIONS
    # Else the channels of a position do not lie side by side, and would have to be copied.
    return plain and still and small and call.input.is_contiguous(memory_format=torch.channels_last)


def convolve(call: Conv2d) -> torch.Tensor:
    """Convolve as conv2d does, within rounding, channels-last in memory."""
    positions = call.input.permute(0, 2, 3, 1)
    products = functional.linear(positions, call.weight.flatten(1), call.bias)
    return products.permute(0, 3, 1, 2)


def _is(value: int | str | tuple[int, int], wanted: int) -> bool:
    return value == wanted or value == (wanted, wanted)


@cache
def has_wide_vectors() -> bool:
    """Tell whether PyTorch computes with vectors of 512 bits on this processor."""
    return "AVX512" in torch.backends.cpu.get_cpu_capability()
