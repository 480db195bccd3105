"""Synchronise batch norm over the batches of several processes.

torch.nn.SyncBatchNorm needs a GPU, and takes the place of the layers, subclasses with an activation
included. This works on the call that all kinds of layers make, on any device.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Whole = Callable[[torch.Tensor], torch.Tensor]
"""Function that turns one row of each process, (1, N), into all rows, (P, N), differentiable."""


class SharedBatchNorm(TorchFunctionMode):
    """Context in which batch norms that train take mean and variance over all processes."""

    def __init__(self, whole: Whole) -> None:
        super().__init__()
        self._whole = whole

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if func is functional.batch_norm:
            call = _BatchNorm(*args, **named)
            if call.training:
                return call.shared(self._whole)
        return func(*args, **named)


class _BatchNorm(NamedTuple):
    """Arguments of torch.nn.functional.batch_norm, under its names."""

    input: torch.Tensor
    running_mean: torch.Tensor | None
    running_var: torch.Tensor | None
    weight: torch.Tensor | None = None
    bias: torch.Tensor | None = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5

    def shared(self, whole: Whole) -> torch.Tensor:
        values = self.input.float()
        axes = [0, *range(2, values.ndim)]
        variance, mean, total = pooled(values, axes, whole)
        self._note(mean, variance * (total / (total - 1)))
        shape = [1, -1, *[1] * (values.ndim - 2)]
        scale = torch.rsqrt(variance + self.eps)
        normal = (values - mean.view(shape)) * scale.view(shape)
        if self.weight is not None:
            normal = normal * self.weight.view(shape)
        if self.bias is not None:
            normal = normal + self.bias.view(shape)
        return normal.to(self.input.dtype)

    def _note(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        if self.running_mean is not None and self.running_var is not None:
            with torch.no_grad():
                self.running_mean.lerp_(mean.detach(), self.momentum)
                self.running_var.lerp_(variance.detach(), self.momentum)


def pooled(
    values: torch.Tensor, axes: Sequence[int], whole: Whole
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pool variance and mean per channel, (C,) each, and the number of values over all processes.

    From each process's own mean and squared deviations, which lose no digits, after T. Chan,
    G. Golub and R. LeVeque, 1983, "Algorithms for computing the sample variance", equation 2.1.
    `values` are float32 (B, C, ...), `axes` all but the second.
    """
    variance, mean = torch.var_mean(values, list(axes), correction=0)
    count = values.new_full((1,), values.numel() / values.shape[1])
    rows = whole(torch.cat([variance, mean, count])[None])
    channels = len(mean)
    variances, means, counts = torch.split(rows, [channels, channels, 1], dim=1)
    total = counts.sum()
    part = counts / total
    pooled_mean = (part * means).sum(dim=0)
    pooled_variance = (part * (variances + (means - pooled_mean).square())).sum(dim=0)
    return pooled_variance, pooled_mean, total
