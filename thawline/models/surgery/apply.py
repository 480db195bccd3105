"""Give a network the design that params ask for; the order is docs/decisions/0014-surgery.md."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from thawline.errors import UserError
from thawline.models.surgery import activation, bottleneck, kernel_size, record
from thawline.models.surgery.block_style import Style, style_of
from thawline.models.surgery.dilation import dilate
from thawline.models.surgery.layers import convolutions, first_and_last, replace_module
from thawline.params import plugins
from thawline.params.schema.design import ORIGINAL, Design

_Replace = Callable[[Any], nn.Module | None]
"""Function of a layer to its replacement: itself if it is right already, None if it must stay."""
_Changed = dict[str, tuple[str, ...]]


def apply_design(network: nn.Module, design: Design) -> None:
    """Change a network in place, all but `depth` and `width`, which its family builds.

    Layers that stay keep their weights; new ones are initialised from torch's global generator.
    `record.record_of(network)` returns what was changed.

    Raises:
        UserError: an option fits no layer of this network.
    """
    if design == ORIGINAL:
        return
    # Holds the parameters themselves: of one that is freed, a new one may get the id.
    before = {id(parameter): parameter for parameter in network.parameters()}
    changed: _Changed = {}
    if any(factor > 1 for factor in design.dilation):
        changed["dilation"] = dilate(network, design.dilation)
    changed |= _change_convolutions(network, design, style_of(network))
    if design.activation != "original":
        activation.name_activations(network)
        changed["activation"] = _change_activations(network, design.activation)
    names = {name: id(parameter) in before for name, parameter in network.named_parameters()}
    sizes = {name: parameter.numel() for name, parameter in network.named_parameters()}
    kept = tuple(name for name, stayed in names.items() if stayed)
    new = tuple(name for name, stayed in names.items() if not stayed)
    record.attach(
        network,
        record.SurgeryRecord(
            changed={key: layers for key, layers in changed.items() if layers},
            kept=kept,
            new=new,
            num_kept=sum(sizes[name] for name in kept),
            num_new=sum(sizes[name] for name in new),
        ),
    )


def _change_convolutions(network: nn.Module, design: Design, style: Style) -> _Changed:
    changed: _Changed = {}
    side, ratio = design.kernel_size, design.bottleneck
    if side is not None:
        changed["kernel_size"] = _change(
            network,
            "kernel_size",
            side,
            convolutions(network),
            lambda conv: kernel_size.resized(conv, side),
            kernel_size.FITS,
        )
    if ratio is not None:
        changed["bottleneck"] = _change(
            network,
            "bottleneck",
            ratio,
            _inner(network),
            lambda conv: bottleneck.narrowed(conv, style, ratio),
            bottleneck.FITS,
        )
    if design.convolution != ORIGINAL.convolution:
        plugin = plugins.load(plugins.CONVOLUTION, design.convolution)
        changed["convolution"] = _change(
            network,
            "convolution",
            _with_options(design),
            _inner(network),
            lambda conv: plugin.replace(conv, style, **design.convolution_options),
            plugin.FITS,
        )
    return changed


def _change_activations(network: nn.Module, kind: str) -> tuple[str, ...]:
    layers = {name: m for name, m in network.named_modules() if activation.is_activation(m)}
    return _change(
        network,
        "activation",
        kind,
        layers,
        lambda old: activation.activation_for(kind, old),
        activation.FITS,
    )


def _change(
    network: nn.Module,
    option: str,
    value: object,
    layers: Mapping[str, nn.Module],
    replace: _Replace,
    needs: str,
) -> tuple[str, ...]:
    """Replace layers, and return the names of those that were replaced."""
    fitting = {name: (old, replace(old)) for name, old in layers.items()}
    if all(new is None for _, new in fitting.values()):
        raise UserError(
            f"model.design.{option}: {value!r} fits no layer of this network: it needs {needs}"
        )
    changed = []
    for name, (old, new) in fitting.items():
        if new is not None and new is not old:
            replace_module(network, old, new)
            changed.append(name)
    return tuple(changed)


def _inner(network: nn.Module) -> dict[str, nn.Conv2d]:
    """List the convolutions except the first and one that gives the logits.

    Those have few weights, and changing them loses much.
    """
    outer = first_and_last(network)
    return {name: conv for name, conv in convolutions(network).items() if conv not in outer}


def _with_options(design: Design) -> str:
    options = ", ".join(f"{key}: {value}" for key, value in design.convolution_options.items())
    return f"{design.convolution} ({options})" if options else design.convolution
