"""Count the channels of each layer of a network, and cut a network to fewer of them.

These numbers describe what pruning leaves of a network: by them, a network as its family builds it
becomes one that the pruned weights fit into.
"""

from collections.abc import Mapping

import torch
from torch import nn

from thawline.models.multilevel import Standardise

Counts = tuple[int, int]
"""Channels in and out of a layer; for a norm or a parameter, the same number twice."""


def counts(network: nn.Module) -> dict[str, Counts]:
    """Count the channels of layers, and of parameters that scale channels, by name."""
    found = {name: of for name, m in network.named_modules() if (of := _of_layer(m)) is not None}
    for name, parameter in network.named_parameters():
        layer = network.get_submodule(name.rpartition(".")[0])
        if _of_layer(layer) is None and (size := _only_size(parameter)) is not None:
            found[name] = (size, size)
    return found


def difference(before: Mapping[str, Counts], after: Mapping[str, Counts]) -> dict[str, Counts]:
    """Select the counts that differ after from before."""
    return {name: after[name] for name in before if after[name] != before[name]}


def narrow(network: nn.Module, channels: Mapping[str, Counts]) -> None:
    """Cut layers in place to the given channels, the first of each; all others stay.

    `channels` are by name, as `counts` gives them.

    Raises:
        ValueError: a name is none of this network's, a layer has fewer channels, or its kind cannot
            have these numbers.
    """
    known = counts(network)
    for name, wanted in channels.items():
        if name not in known:
            raise ValueError(f"{name!r} is no layer with channels of this network")
        most = known[name]
        if not all(1 <= new <= old for new, old in zip(wanted, most, strict=True)):
            raise ValueError(f"{name!r} has {most} channels in and out, not {wanted}")
    modules = dict(network.named_modules())
    for name, wanted in channels.items():
        if name in modules:
            _cut_layer(modules[name], name, wanted)
        else:
            owner, _, attribute = name.rpartition(".")
            _cut_parameter(modules[owner], attribute, wanted[0])


def _of_layer(layer: nn.Module) -> Counts | None:
    match layer:
        case nn.Conv2d():
            return layer.in_channels, layer.out_channels
        case nn.Linear():
            return layer.in_features, layer.out_features
        case nn.modules.batchnorm._BatchNorm():
            return layer.num_features, layer.num_features
        case nn.GroupNorm():
            return layer.num_channels, layer.num_channels
        case nn.LayerNorm():
            return layer.normalized_shape[-1], layer.normalized_shape[-1]
        case nn.PReLU():
            return layer.num_parameters, layer.num_parameters
        case Standardise():
            return len(layer.mean), len(layer.mean)
    return None


def _only_size(parameter: torch.Tensor) -> int | None:
    """Return C of a parameter like (C, 1, 1); None where more than one dimension is above 1."""
    sizes = [size for size in parameter.shape if size > 1]
    return sizes[0] if len(sizes) == 1 else None


def _cut_layer(layer: nn.Module, name: str, wanted: Counts) -> None:
    inputs, outputs = wanted
    match layer:
        case nn.Conv2d():
            _cut_convolution(layer, name, inputs, outputs)
            return
        case nn.Linear():
            layer.in_features, layer.out_features = inputs, outputs
            _slice(layer, (outputs, inputs))
            return
    if inputs != outputs:
        raise ValueError(f"{name!r} has as many channels in as out, not {wanted}")
    match layer:
        case nn.modules.batchnorm._BatchNorm():
            layer.num_features = outputs
        case nn.GroupNorm():
            if outputs % layer.num_groups:
                raise ValueError(f"{name!r}: {outputs} is no multiple of {layer.num_groups} groups")
            layer.num_channels = outputs
        case nn.LayerNorm():
            layer.normalized_shape = (*layer.normalized_shape[:-1], outputs)
        case nn.PReLU():
            layer.num_parameters = outputs
    _slice(layer, (outputs,))


def _cut_convolution(conv: nn.Conv2d, name: str, inputs: int, outputs: int) -> None:
    if conv.groups == conv.in_channels == conv.out_channels > 1:  # depthwise
        conv.groups = outputs
    if inputs % conv.groups or outputs % conv.groups:
        raise ValueError(
            f"{name!r}: {inputs} and {outputs} are no multiples of {conv.groups} groups"
        )
    conv.in_channels, conv.out_channels = inputs, outputs
    _slice(conv, (outputs, inputs // conv.groups))


def _slice(layer: nn.Module, sizes: tuple[int, ...]) -> None:
    """Keep the first entries of every tensor of a layer along its first dimensions."""
    for name, parameter in list(layer.named_parameters(recurse=False)):
        cut = parameter.detach()[tuple(slice(size) for size in sizes[: parameter.ndim])]
        setattr(layer, name, nn.Parameter(cut.clone(), requires_grad=parameter.requires_grad))
    for name, buffer in list(layer.named_buffers(recurse=False)):
        if buffer.ndim:
            setattr(layer, name, buffer[: sizes[0]].clone())


def _cut_parameter(owner: nn.Module, attribute: str, size: int) -> None:
    parameter: nn.Parameter = getattr(owner, attribute)
    cut = parameter.detach()[tuple(slice(size) for _ in parameter.shape)]
    setattr(owner, attribute, nn.Parameter(cut.clone(), requires_grad=parameter.requires_grad))
