"""Compute the weight gradient of depthwise convolutions on small maps faster, on the CPU.

oneDNN 3 (in PyTorch 2.14) has no fast form of this gradient where the map is smaller than the
kernel, or what is left of it is smaller than half of it, as in the late stages of mobile networks
on small images: there it takes 10 to 100 times as long as the rest of the layer. See
benchmarks/convolutions.py.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from thawline.training.cpu.conv2d_call import Conv2d, Pair

_Tap = tuple[int, slice, slice]


def applies(call: Conv2d) -> bool:
    """Tell whether a call is a depthwise convolution whose gradient is slow in oneDNN."""
    depthwise = 1 < call.groups == call.weight.shape[0] == call.input.shape[1]
    return depthwise and not isinstance(call.padding, str) and _is_small(call)


def _is_small(call: Conv2d) -> bool:
    sides = (_pair(call.stride), _pair(call.padding), _pair(call.dilation))
    for size, kernel, stride, padding, dilation in zip(
        call.input.shape[2:], call.weight.shape[2:], *sides, strict=True
    ):
        left = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        if size < kernel or 2 * left < kernel:
            return True
    return False


def convolve(call: Conv2d) -> torch.Tensor:
    """Convolve as conv2d does, with the faster gradient."""
    sides = (_pair(call.stride), _pair(call.padding), _pair(call.dilation))
    output: torch.Tensor = _Depthwise.apply(call.input, call.weight, *sides)
    return output if call.bias is None else output + call.bias.view(1, -1, 1, 1)


def weight_gradient(
    output_gradient: torch.Tensor,
    inputs: torch.Tensor,
    kernel: Pair,
    *,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> torch.Tensor:
    """Compute the gradient of a depthwise kernel: one product per tap, summed over positions.

    Taps that meet nothing but padding cost nothing: of a 5 x 5 kernel on a 2 x 2 map 9 remain.
    `output_gradient` is (B, C, H', W'), `inputs` are (B, C, H, W); quickest in channels-last
    memory.

    Returns:
        (C, 1, *kernel), within rounding equal to PyTorch's own; a function of the arguments alone.
    """
    gradient, image = output_gradient.permute(0, 2, 3, 1), inputs.permute(0, 2, 3, 1)
    taps = [
        list(_taps(kernel[i], stride[i], padding[i], dilation[i], image.shape[i + 1], size))
        for i, size in enumerate(gradient.shape[1:3])
    ]
    result = inputs.new_zeros(*kernel, inputs.shape[1])
    for row, out_rows, in_rows in taps[0]:
        for column, out_columns, in_columns in taps[1]:
            product = gradient[:, out_rows, out_columns] * image[:, in_rows, in_columns]
            result[row, column] = product.sum((0, 1, 2))
    return result.permute(2, 0, 1).unsqueeze(1)


def _taps(
    kernel: int, stride: int, padding: int, dilation: int, size: int, out_size: int
) -> Iterator[_Tap]:
    """Yield the taps of one axis that touch the map, with the outputs and inputs they join."""
    for tap in range(kernel):
        shift = tap * dilation - padding
        first = max(0, -(shift // stride))
        stop = min(out_size, (size - 1 - shift) // stride + 1)
        if first < stop:
            start = first * stride + shift
            last = (stop - 1) * stride + shift
            yield tap, slice(first, stop), slice(start, last + 1, stride)


def _pair(value: int | str | Pair) -> Pair:
    assert not isinstance(value, str)
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


class _Depthwise(torch.autograd.Function):
    """Function conv2d with groups = channels, no bias, and the faster gradient of its kernel."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: torch.Tensor,
        weight: torch.Tensor,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
    ) -> torch.Tensor:
        ctx.save_for_backward(inputs, weight)
        ctx.sides = (stride, padding, dilation)
        return torch.conv2d(inputs, weight, None, stride, padding, dilation, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        inputs, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.sides
        wanted = [ctx.needs_input_grad[0], False, False]
        sides = (list(stride), list(padding), list(dilation), False, [0, 0], len(weight), wanted)
        to_inputs = (
            torch.ops.aten.convolution_backward(gradient, inputs, weight, None, *sides)[0]
            if wanted[0]
            else None
        )
        to_weight = weight_gradient(
            gradient,
            inputs,
            (weight.shape[2], weight.shape[3]),
            stride=stride,
            padding=padding,
            dilation=dilation,
        )
        return to_inputs, to_weight, None, None, None
