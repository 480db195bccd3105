"""Prune a network: remove channels, so that it becomes smaller and faster.

Which layers lose a channel together is found by tracing the network (G. Fang et al., 2023,
"DepGraph: towards any structural pruning"; torch-pruning).
"""

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
import torch_pruning
from torch import nn

from thawline.errors import UserError
from thawline.models import auxiliary_heads
from thawline.models.multilevel import Standardise
from thawline.models.network import Network
from thawline.models.surgery.channels import Counts, counts, difference, narrow
from thawline.params import plugins

_KEY = "compress.prune.ratio"
_Channels = dict[str, Counts]


def prune(
    network: Network,
    *,
    ratio: float,
    method: str,
    scope: Literal["global", "layer"],
    iterations: int,
    round_to: int,
    image_size_px: int,
    seed: int,
    backward: Callable[[Network], None],
    recover: Callable[[Network], None],
) -> tuple[Network, _Channels]:
    """Prune a copy of a network; return it with the channels that its layers have left.

    Channels go step by step and the rest is trained in between; the layers that give logits keep
    theirs. Equal arguments give equal bits.

    Args:
        network: network to copy.
        ratio: share of the channels that go, in (0, 1); of the operations nearly twice as many.
        method: module of thawline/compress/pruning/.
        scope: global ranks the channels of all layers together, layer those of each by themselves.
        iterations: number of steps.
        round_to: channels of a layer are left in multiples of this.
        image_size_px: side of the images.
        seed: seed of criteria that draw.
        backward: adds to every weight's gradient that of the loss on training images.
        recover: trains in place; called after each step.

    Returns:
        The network on the CPU, in evaluation mode, and the channels of the layers that were
        cut, with which `surgery.channels.narrow` turns a network like the one given into its like.

    Raises:
        UserError: a layer is binary or cannot be pruned, or the criterion fits none.
    """
    _refuse_binary(network)
    before, pruned = counts(network), copy.deepcopy(network).requires_grad_(True)
    generator = torch.Generator().manual_seed(seed)
    example = torch.zeros(1, 3, image_size_px, image_size_px)
    with _naming(pruned, ratio, example), warnings.catch_warnings(action="ignore"):
        pruner = torch_pruning.pruner.BasePruner(
            pruned,
            example,
            importance=None,
            pruning_ratio=ratio,
            global_pruning=scope == "global",
            iterative_steps=iterations,
            round_to=round_to,
            ignored_layers=_logits_layers(pruned),
            customized_pruners={Standardise: _OfStandardise()},
            forward_fn=_all_outputs,
            in_channel_groups={},  # the library would share its own between networks
            out_channel_groups={},
        )
    for _ in range(iterations):
        with _naming(pruned, ratio, example), warnings.catch_warnings(action="ignore"):
            pruner.importance = _importance(method, pruned, generator, backward)
            pruner.step()
            pruned.zero_grad(set_to_none=True)
            _all_outputs(pruned.eval(), example)
        left = difference(before, counts(pruned))
        _check_rebuilds(network, pruned, left, ratio)
        if not left:
            raise UserError(f"{_KEY}: {ratio:g} removes no channel with method {method!r}")
        recover(pruned)
    return pruned.cpu().eval(), left


class _OfStandardise(torch_pruning.BasePruningFunc):  # type: ignore[misc]
    """Rule for torch-pruning by which a layer of nothing but buffers loses channels."""

    TARGET_MODULES = Standardise

    def prune_out_channels(self, layer: nn.Module, idxs: Sequence[int]) -> nn.Module:
        assert isinstance(layer, Standardise)
        kept = torch.ones(len(layer.mean), dtype=torch.bool)
        kept[list(idxs)] = False
        layer.mean, layer.inverse_std = layer.mean[kept], layer.inverse_std[kept]
        return layer

    prune_in_channels = prune_out_channels

    def get_out_channels(self, layer: nn.Module) -> int:
        assert isinstance(layer, Standardise)
        return len(layer.mean)

    get_in_channels = get_out_channels


def _importance(
    method: str,
    network: Network,
    generator: torch.Generator,
    backward: Callable[[Network], None],
) -> Any:
    offered = {"generator": generator, "backward": lambda: backward(network)}
    build = plugins.load(plugins.CRITERION, method).importance
    wanted = inspect.signature(build).parameters
    return build(**{name: value for name, value in offered.items() if name in wanted})


def _logits_layers(network: Network) -> list[nn.Module]:
    """List the classifier and auxiliary ones; layers that only scale features may lose channels."""
    halfway = [block.classifier for block in auxiliary_heads.within(network)]
    return [*(m for m in network[-1].modules() if list(m.parameters(recurse=False))), *halfway]


def _all_outputs(network: Network, images: torch.Tensor) -> list[torch.Tensor]:
    """Compute logits, also of auxiliary classifiers, which only training runs; norms are fixed."""
    halfway = list(auxiliary_heads.within(network))
    for block in halfway:
        block.training = True  # of the block alone, not of what is in it
    logits = network(images)
    more = [extra for extra, _ in auxiliary_heads.taken(network)]
    for block in halfway:
        block.training = False
    return [logits, *more]


def _refuse_binary(network: Network) -> None:
    from thawline.models.surgery.binary import BinaryConv2d

    for name, layer in network.named_modules():
        if isinstance(layer, BinaryConv2d):
            raise UserError(
                f"{_KEY}: {name!r} has binary weights, whose size says nothing of their "
                "importance; allowed with model.design.convolution 'xnor': 0"
            )


def _check_rebuilds(network: Network, pruned: Network, channels: _Channels, ratio: float) -> None:
    """Check that the numbers of channels are enough to rebuild the pruned network."""
    again = copy.deepcopy(network)
    try:
        narrow(again, channels)
    except ValueError as error:
        raise UserError(f"{_KEY}: {ratio:g} cannot be reached: {error}") from None
    state = again.state_dict()
    for name, tensor in pruned.state_dict().items():
        if state[name].shape != tensor.shape:
            raise UserError(f"{_KEY}: {ratio:g} cannot be reached: {name!r} cannot be pruned")


@contextmanager
def _naming(network: Network, ratio: float, example: torch.Tensor) -> Iterator[None]:
    """Turn errors of the library into a message that names the layer where they arose."""
    entered: list[str] = []
    hooks = [
        hook
        for name, layer in network.named_modules()
        if name
        for hook in (
            layer.register_forward_pre_hook(lambda *_, name=name: entered.append(name)),
            layer.register_forward_hook(lambda *_: entered.pop() and None),
        )
    ]
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # the library raises whatever its parts raise
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        where = entered[-1] if entered else _untraceable(network, example)
        raise UserError(f"{_KEY}: {ratio:g}: {where!r} cannot be pruned: {reason}") from error
    finally:
        for hook in hooks:
            hook.remove()


def _untraceable(network: Network, images: torch.Tensor) -> str:
    """Find the first block that the library cannot trace by itself, else the last."""
    name = ""
    for name, block in network.named_children():  # noqa: B007
        try:
            torch_pruning.DependencyGraph().build_dependency(block, images)
        except Exception:  # as above
            break
        images = block(images).detach().requires_grad_()  # for blocks without weights
    return name
