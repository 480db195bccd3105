"""Fold batch norm into the convolution before it, for networks that only run forwards.

In evaluation mode a norm is a fixed scale and shift per channel, which the convolution's weights
can carry: one pass over the feature map less. The outputs differ in the last bits of a float32.
"""

import copy
from collections import Counter
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_TOLERANCE = 1e-3
"""Largest difference over the largest output; a right fold differs by 1e-5 of it."""


@torch.inference_mode()
def folded(network: nn.Module, image_size_px: int, device: torch.device) -> nn.Module:
    """Copy a network without the norms that follow a convolution.

    The network itself is returned where there are none, and on a GPU, where the gain has not been
    measured. An image of noise shows which norm follows which convolution, and the copy is compared
    with the network on it: a network that uses an output twice keeps its norms. `network` is in
    evaluation mode, on the device, and stays as it is.
    """
    if device.type != "cpu":
        return network
    plain = copy.deepcopy(network)
    noise = torch.Generator().manual_seed(0)
    example = torch.randn(1, 3, image_size_px, image_size_px, generator=noise)
    pairs, expected = _pairs(plain, example)
    if not pairs:
        return network
    for norm_name, conv_name in pairs.items():
        norm, conv = plain.get_submodule(norm_name), plain.get_submodule(conv_name)
        _put(plain, conv_name, fuse_conv_bn_eval(conv, norm))  # type: ignore[type-var,arg-type]
        _put(plain, norm_name, _after(norm))
    difference = (plain(example) - expected).abs().max()
    return plain if difference <= _TOLERANCE * expected.abs().max() else network


def _kinds(network: nn.Module) -> tuple[set[type[nn.Module]], set[type[nn.Module]]]:
    """List the classes of convolutions and norms that do no more than their name says."""
    convolutions: set[type[nn.Module]] = {nn.Conv2d}
    norms: set[type[nn.Module]] = {nn.BatchNorm2d}
    if any(type(module).__module__.startswith("timm.") for module in network.modules()):
        from timm.layers import BatchNormAct2d, Conv2dSame  # 0.4 s, where torchvision's need none

        convolutions.add(Conv2dSame)
        norms.add(BatchNormAct2d)
    return convolutions, norms


def _pairs(network: nn.Module, example: torch.Tensor) -> tuple[dict[str, str], torch.Tensor]:
    """Pair norms with the convolution that feeds them alone, by name; return the output too."""
    made_by: dict[int, str] = {}
    kept: list[torch.Tensor] = []  # alive, so that no id is used twice
    runs: Counter[str] = Counter()
    pairs: dict[str, str] = {}
    handles = []
    convolutions, norms = _kinds(network)
    for name, module in network.named_modules():
        if type(module) in convolutions:

            def ran(_: nn.Module, __: object, output: torch.Tensor, name: str = name) -> None:
                kept.append(output)
                made_by[id(output)] = name
                runs[name] += 1

            handles.append(module.register_forward_hook(ran))
        elif type(module) in norms and not module.training and module.track_running_stats:

            def begins(_: nn.Module, inputs: tuple[torch.Tensor], name: str = name) -> None:
                runs[name] += 1
                if source := made_by.pop(id(inputs[0]), None):
                    pairs[name] = source

            handles.append(module.register_forward_pre_hook(begins))
    try:
        output = network(example)
    finally:
        for handle in handles:
            handle.remove()
    once = {norm: conv for norm, conv in pairs.items() if runs[norm] == runs[conv] == 1}
    return once, output


def _after(norm: Any) -> nn.Module:
    """Return what is left of a folded norm: timm's has the activation in it."""
    if type(norm) is nn.BatchNorm2d:
        return nn.Identity()
    return nn.Sequential(norm.drop, norm.act)


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, module)
