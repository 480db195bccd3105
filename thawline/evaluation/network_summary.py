"""Summarise a network block by block: shapes, parameters, operations, memory, field."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from thawline.cost.flops import num_parameters
from thawline.models.multilevel import map_of
from thawline.models.network import Network
from thawline.plots.quantities import count

BYTES = 4
"""Size of a float32, bytes."""


@dataclass(frozen=True, kw_only=True)
class BlockSummary:
    """One block, for one image.

    Attributes:
        shape: shape of its output, without the batch.
        macs: multiply-accumulate operations.
        activation_bytes: bytes of all outputs of its layers, float32, as training keeps them.
        receptive_field_px: side of the square of the image that the centre of its output depends
            on, at most the image's side; None where the output has no places.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int
    macs: int
    activation_bytes: int
    receptive_field_px: int | None


def summarise(network: Network, image_size_px: int) -> list[BlockSummary]:
    """Run one image through the network, block by block, on the CPU in evaluation mode.

    The weights, their gradients and the mode of every layer are left as they were.
    """
    with _evaluating(network):
        image = torch.zeros(1, 3, image_size_px, image_size_px)
        found = []
        for name, block in network.named_children():
            counter = FlopCounterMode(display=False)
            with torch.inference_mode(), counter, _outputs(block) as sizes:
                image = block(image)
            seen = map_of(image)
            found.append((name, block, seen, counter.get_total_flops() // 2, sum(sizes)))
    fields = receptive_fields(network, image_size_px)
    return [
        BlockSummary(
            name=name,
            shape=tuple(output.shape[1:]),
            parameters=num_parameters(block),
            macs=macs,
            activation_bytes=BYTES * size,
            receptive_field_px=field,
        )
        for (name, block, output, macs, size), field in zip(found, fields, strict=True)
    ]


def receptive_fields(network: Network, image_size_px: int) -> list[int | None]:
    """Measure the receptive field of each block's centre output, px, by gradients at the image.

    The theoretical field, in the words of W. Luo et al., 2016, "Understanding the effective
    receptive field in deep convolutional neural networks": a copy of the network gets convolutions
    that average and activations that pass everything, so that no gradient vanishes by accident. In
    float64, since a corner of the field is reached through all layers: 1 / 9 to their number.
    Squeeze-and-excitation, global pooling and attention see the whole image.
    """
    averaging = _averaging(network)
    image = torch.full(
        (1, 3, image_size_px, image_size_px), 1e-3, dtype=torch.float64, requires_grad=True
    )
    output: torch.Tensor = image
    fields: list[int | None] = []
    for block in averaging:
        output = block(output)
        seen = map_of(output)
        fields.append(_field(seen, image) if seen.ndim == 4 else None)
    return fields


def _field(output: torch.Tensor, image: torch.Tensor) -> int:
    rows, columns = (side // 2 for side in output.shape[2:])
    (gradient,) = torch.autograd.grad(
        output[0, :, rows, columns].sum(), image, retain_graph=True, allow_unused=True
    )
    if gradient is None:
        return 0
    reached = torch.nonzero(gradient[0].abs().sum(dim=0))
    if not len(reached):
        return 0
    sides = reached.max(dim=0).values - reached.min(dim=0).values + 1
    return int(sides.max())


def _averaging(network: Network) -> Network:
    averaging = copy.deepcopy(network).eval().double()
    for module in averaging.modules():
        if isinstance(module, nn.Conv2d):
            with torch.no_grad():
                module.weight.fill_(1 / module.weight[0].numel())
                if module.bias is not None:
                    module.bias.zero_()
        elif isinstance(module, nn.MaxPool2d):
            module.register_forward_hook(_average)
        elif _pointwise(module):
            module.register_forward_hook(_pass_through)
    return averaging


def _pointwise(module: nn.Module) -> bool:
    """Return True for activations and norms: same shape out as in, mixing no places."""
    place = type(module).__module__
    if isinstance(module, nn.LayerNorm):  # over channels, in networks of images
        return True
    if place.endswith("layers.norm_act"):  # timm's norm holds its activation
        return True
    return not list(module.children()) and place.endswith(
        ("modules.activation", "modules.batchnorm", "modules.dropout", "layers.activations",
         "surgery.activation")
    )  # fmt: skip


def _pass_through(_: nn.Module, given: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
    return given[0].clone() if output.shape == given[0].shape else output


def _average(
    module: nn.MaxPool2d, given: tuple[torch.Tensor], output: torch.Tensor
) -> torch.Tensor:
    """Replace max pooling by mean pooling: a maximum passes the gradient of one place only."""
    pooled = nn.functional.avg_pool2d(
        given[0], module.kernel_size, module.stride, module.padding, module.ceil_mode
    )
    return pooled if pooled.shape == output.shape else output


@contextmanager
def _outputs(block: nn.Module) -> Iterator[list[int]]:
    """Record the number of values in the output of every layer without inner layers."""
    sizes: list[int] = []

    def note(_: nn.Module, __: object, output: object) -> None:
        if isinstance(output, torch.Tensor):
            sizes.append(output.numel())

    leaves = [module for module in block.modules() if not list(module.children())]
    hooks = [leaf.register_forward_hook(note) for leaf in leaves]
    try:
        yield sizes
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def write(path: Path, name: str, network: Network, image_size_px: int) -> None:
    """Write network.md for a network as it is before training."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = markdown(name, image_size_px, summarise(network, image_size_px))
    path.write_text(text, encoding="utf-8")


def markdown(name: str, image_size_px: int, blocks: Sequence[BlockSummary]) -> str:
    """Format network.md: one row per block and the sums."""
    rows = [
        (
            b.name, " x ".join(map(str, b.shape)), f"{b.parameters:,}", count(b.macs),
            f"{b.activation_bytes / 1e6:.2f} MB",
            "-" if b.receptive_field_px is None else f"{b.receptive_field_px} px",
        )
        for b in blocks
    ]  # fmt: skip
    total = (
        "all", "", f"{sum(b.parameters for b in blocks):,}", count(sum(b.macs for b in blocks)),
        f"{sum(b.activation_bytes for b in blocks) / 1e6:.2f} MB", "",
    )  # fmt: skip
    head = ("block", "output", "parameters", "MACs", "activations", "receptive field")
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows, total)]
    lines.insert(1, "| --- | ---: | ---: | ---: | ---: | ---: |")
    return (
        f"# {name} at {image_size_px} px\n\n" + "\n".join(lines) + "\n\n"
        "For one image. Activations are the outputs of all layers in float32, as training keeps "
        "them. The receptive field is what the centre of a block's output depends on, at most the "
        "image; squeeze-and-excitation and global pooling see all of it.\n"
    )
