"""Replace some convolutions of training steps by faster ones, on the CPU in float32."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from thawline.training.cpu import depthwise, pointwise
from thawline.training.cpu.conv2d_call import Conv2d

_KINDS = (depthwise, pointwise)


def convolutions(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Return a context in which conv2d takes a faster form if weights train and there is one."""
    applies = device.type == "cpu" and precision == "float32"
    return _Quick() if applies else nullcontext()


class _Quick(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if func is torch.conv2d and torch.is_grad_enabled():
            call = Conv2d(*args, **named)
            if call.weight.requires_grad:
                for kind in _KINDS:
                    if kind.applies(call):
                        return kind.convolve(call)
        return func(*args, **named)
