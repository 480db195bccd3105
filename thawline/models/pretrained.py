"""Load pretrained weights: which tensors of a file a network takes, and which stay random."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from thawline.errors import UserError
from thawline.models import auxiliary_heads, weights
from thawline.runtime.escape import escape
from thawline.runtime.progress import log

_LISTED = 3
_TAG_LENGTH = 5000
"""Longest value of a tag in MLflow, in characters."""
State = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Weights that a network starts from.

    Attributes:
        file: name of the file.
        sha256: hash of the file.
        num_kept: number of tensors from the file.
        num_tensors: number of the network's tensors.
        new: names of the tensors that are not from the file, the head's among them.
    """

    file: str
    sha256: str
    num_kept: int
    num_tensors: int
    new: tuple[str, ...]

    def __str__(self) -> str:
        new = f"; at random: {_listed(list(self.new))}" if self.new else ""
        return (
            f"weights: {self.num_kept} of {self.num_tensors} tensors from {escape(self.file)}, "
            f"SHA-256 {self.sha256[:12]}...{new}"
        )

    def tags(self) -> dict[str, str]:
        """Return tags for the tracking run: exactly what training started from."""
        return {
            "weights.file": self.file,
            "weights.sha256": self.sha256,
            "weights.kept": f"{self.num_kept} of {self.num_tensors} tensors",
            "weights.new": " ".join(self.new)[:_TAG_LENGTH],
        }


def load(
    module: Any, network: nn.Module, original: nn.Module, path: Path, *, keep_head: bool
) -> Loaded:
    """Copy the weights of a file into a network.

    Tensors are matched by their place in the blocks: a deeper VGG numbers its layers anew. The head
    and the classifiers of auxiliary heads stay random. A network of the family's own design has to
    get every other tensor; one of another design keeps those whose layers did not change.

    Args:
        module: module of the family.
        network: network with the library's names, changed in place.
        original: the family's own design, whose names the file has; on the meta device.
        path: file with the weights.
        keep_head: whether the classifier is loaded too.

    Raises:
        UserError: the file is damaged, or of another network.
    """
    heads = set() if keep_head else _head_names(module, original)
    optional = heads | _auxiliary_names(module, original)
    state = _fitting(module, original, path, optional, heads)
    found = {
        name: state[source]
        for name, source in _sources(module, network, original).items()
        if source in state and source not in heads
    }
    own = network.state_dict()
    fitting = {k: v for k, v in found.items() if v.shape == own[k].shape}
    network.load_state_dict(fitting, strict=False)
    return Loaded(
        file=path.name,
        sha256=weights.sha256(path),
        num_kept=len(fitting),
        num_tensors=len(own),
        new=tuple(sorted(own.keys() - fitting.keys())),
    )


def _fitting(
    module: Any, original: nn.Module, path: Path, optional: set[str], heads: set[str]
) -> State:
    """Read the file's tensors under the library's names, whatever prefix they have.

    Raises:
        UserError: the file is damaged, or of another network; the message is about the prefix that
            comes nearest.
    """
    own = original.state_dict()
    problems: list[tuple[int, UserError]] = []
    for prefix, given, others in weights.without_prefixes(weights.read_state(path)):
        shared = 0
        try:
            state = _in_library_names(module, given, original, path)
            shared = len(state.keys() & own.keys())
            _check_names(state, own, optional, heads, path)
        except UserError as error:
            problems.append((shared, error))
            continue
        if prefix:
            left = f", and leaves out {len(others)} ({_listed(list(others))})" if others else ""
            log(f"weights: {escape(path.name)}: removes {escape(prefix)!r} from the names{left}")
        return state
    raise max(problems, key=lambda problem: problem[0])[1] from None


def _in_library_names(module: Any, state: State, original: nn.Module, path: Path) -> State:
    """Rename tensors from a checkpoint of Thawline, or from a package, to the library's names."""
    names = {place: name for name, place in _places(module, original).items()}
    if state and state.keys() <= names.keys():
        return {names[place]: tensor for place, tensor in state.items()}
    try:
        converted: State = module.convert(state, original)
    except ValueError as error:
        raise UserError(_of_another(path, str(error))) from None
    return converted


def _check_names(state: State, own: State, optional: set[str], heads: set[str], path: Path) -> None:
    """Check that a file has all of the original design's tensors, in shape, and none besides."""
    missing = sorted(own.keys() - state.keys() - optional - _counters(own))
    unexpected = sorted(state.keys() - own.keys())
    both = own.keys() & state.keys() - heads
    reshaped = sorted(key for key in both if own[key].shape != state[key].shape)
    problems = {"missing": missing, "of another shape": reshaped, "unexpected": unexpected}
    found = [f"{len(keys)} {word} ({_listed(keys)})" for word, keys in problems.items() if keys]
    if found:
        raise UserError(_of_another(path, f"of {len(own)} tensors {', '.join(found)}"))


def _sources(module: Any, network: nn.Module, original: nn.Module) -> dict[str, str]:
    """Map names in the network to names in the original of the tensor at the same place."""
    places = {place: name for name, place in _places(module, original).items()}
    mine = _places(module, network)
    return {name: places[place] for name, place in mine.items() if place in places}


def _places(module: Any, network: nn.Module) -> dict[str, str]:
    """Map the name of each tensor to its place: block and name in it."""
    names = {id(tensor): name for name, tensor in _tensors(network).items()}
    return {
        names[id(tensor)]: f"{block}.{inner}"
        for block, part in module.blocks(network)
        for inner, tensor in _tensors(part).items()
    }


def _head_names(module: Any, network: nn.Module) -> set[str]:
    """List the tensors that depend on the number of classes."""
    parts = dict(module.blocks(network))
    classifiers = [b.classifier for p in parts.values() for b in auxiliary_heads.within(p)]
    owned = {id(t) for part in (parts["head"], *classifiers) for t in _tensors(part).values()}
    return {name for name, tensor in _tensors(network).items() if id(tensor) in owned}


def _tensors(network: nn.Module) -> State:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def _auxiliary_names(module: Any, network: nn.Module) -> set[str]:
    """List the tensors of auxiliary heads, which a file saved for inference only lacks."""
    owned = {
        id(tensor)
        for _, part in module.blocks(network)
        for block in auxiliary_heads.within(part)
        for tensor in _tensors(block.auxiliary).values()
    }
    return {name for name, tensor in _tensors(network).items() if id(tensor) in owned}


def _counters(state: State) -> set[str]:
    """List batch norm's counters, which files from before 2018 lack."""
    return {name for name in state if name.endswith("num_batches_tracked")}


def _listed(names: list[str]) -> str:
    more = ", ..." if len(names) > _LISTED else ""
    return ", ".join(escape(name) for name in names[:_LISTED]) + more


def _of_another(path: Path, reason: str) -> str:
    return f"weights file {escape(path.name)!r} is of another network: {reason}"
