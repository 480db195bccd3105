"""Dilate instead of striding, stage by stage.

F. Yu, V. Koltun and T. Funkhouser, 2017, "Dilated residual networks". A layer that strides no
longer does; the layers after it look as far apart as before, through holes in their kernels. So
each output of the original network is still there, between new ones, and weights keep their
meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from timm.layers import Conv2dSame
from torch import nn

from thawline.errors import UserError
from thawline.models.surgery.layers import Pair, replace_module

KEY = "model.design.dilation"
_Layer = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d
_PROBE_PX = 224
"""Side of an image large enough for every network; each stage then has another resolution."""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Layer with the rows of its input and output, for an image of _PROBE_PX."""

    name: str
    layer: _Layer
    rows_in: int
    rows_out: int

    @property
    def strides(self) -> bool:
        """True where the layer strides and its output is smaller."""
        return _pair(self.layer.stride)[0] > 1 and self.rows_out < self.rows_in


def dilate(network: nn.Module, dilation: Sequence[int]) -> tuple[str, ...]:
    """Dilate the last stages in place; a stage begins with layers that stride to one resolution.

    In a stage with dilation d > 1 the layers that stride keep the dilation of the stage before and
    stride no longer; the others are dilated by d. Average pools keep their kernel: they have no
    dilation. Weights stay as they are.

    Args:
        network: takes float32 (B, 3, 224, 224).
        dilation: one value per stage, or per last stage.

    Returns:
        Names of the changed layers.

    Raises:
        UserError: there are more values than stages, or the network strides outside its layers.
    """
    layers = _observe(network)
    starts = sorted({seen.rows_out for seen in layers if seen.strides}, reverse=True)
    if len(dilation) > len(starts):
        raise UserError(
            f"{KEY}: {list(dilation)} names {len(dilation)} stages, and the network strides "
            f"{len(starts)} times; allowed: at most {len(starts)} values"
        )
    factors = dict(zip(starts[len(starts) - len(dilation) :], dilation, strict=True))
    changed = []
    for seen in layers:
        stage = seen.rows_out if seen.strides else _stage(starts, seen.rows_in)
        own = factors.get(stage, 1)
        before = factors.get(_stage(starts, seen.rows_in), 1)
        if seen.strides and own > 1:
            _no_stride(network, seen.layer, before)
            changed.append(seen.name)
        elif not seen.strides and own > 1 and _spread(seen.layer, own):
            changed.append(seen.name)
    _check(network, dilation)
    return tuple(changed)


def _stage(starts: Sequence[int], rows: int) -> int:
    """Find the stage of so many rows, by the rows that it begins with; 0: before the first."""
    return min((start for start in starts if start >= rows), default=0)


def _observe(network: nn.Module) -> list[_Seen]:
    seen: list[_Seen] = []

    def hook(name: str) -> Any:
        def record(layer: _Layer, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            rows_in, rows_out = inputs[0].shape[2], output.shape[2]
            if rows_out > 1:  # otherwise it is the pool before the head
                seen.append(_Seen(name=name, layer=layer, rows_in=rows_in, rows_out=rows_out))

        return record

    kinds = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
    hooks = [
        module.register_forward_hook(hook(name))
        for name, module in network.named_modules()
        if isinstance(module, kinds)
    ]
    try:
        _run(network)
    finally:
        for handle in hooks:
            handle.remove()
    return seen


def _run(network: nn.Module) -> None:
    modes = {module: module.training for module in network.modules()}
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, _PROBE_PX, _PROBE_PX))
    finally:
        for module, mode in modes.items():
            module.training = mode


def _check(network: nn.Module, dilation: Sequence[int]) -> None:
    try:
        _run(network)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{KEY}: {list(dilation)} does not fit this network: it strides beside a layer that is "
            f"changed ({reason}); allowed: []"
        ) from None


def _pair(value: Any) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _times(value: Any, factor: int) -> Any:
    return value if isinstance(value, str) else tuple(one * factor for one in _pair(value))


def _spread(layer: _Layer, factor: int) -> bool:
    """Dilate a layer whose kernel is larger than 1x1; its padding grows with it.

    PyTorch dilates no average, and pads a maximum by half its kernel at most: they stay.
    """
    padding = _times(layer.padding, factor)
    if max(_pair(layer.kernel_size)) == 1 or isinstance(layer, nn.AvgPool2d):
        return False
    if isinstance(layer, nn.MaxPool2d) and padding[0] > _pair(layer.kernel_size)[0] // 2:
        return False
    layer.dilation = _times(layer.dilation, factor)
    layer.padding = padding
    return True


def _no_stride(network: nn.Module, layer: _Layer, factor: int) -> None:
    if isinstance(layer, Conv2dSame):
        replace_module(network, layer, _padded_for_even(layer, factor))
        return
    if factor > 1:
        _spread(layer, factor)
    layer.stride = (1, 1)


def _padded_for_even(conv: Conv2dSame, factor: int) -> nn.Module:
    """Replace a convolution by one at stride 1 that pads as it padded an even image at stride 2.

    TensorFlow pads one less on the left at stride 2 than at stride 1. That is kept, so that each
    weight meets the same pixels.
    """
    sides: list[int] = []
    for axis in (1, 0):
        kernel, stride = conv.kernel_size[axis], conv.stride[axis]
        before = max(kernel - stride, 0) // 2 * factor
        sides += [before, (kernel - 1) * factor - before]
    plain = nn.Conv2d(
        conv.in_channels, conv.out_channels, conv.kernel_size,  # type: ignore[arg-type]
        dilation=factor, groups=conv.groups, bias=conv.bias is not None,
    )  # fmt: skip
    plain.weight, plain.bias = conv.weight, conv.bias
    return nn.Sequential(nn.ZeroPad2d((sides[0], sides[1], sides[2], sides[3])), plain)
