"""Write and read nested state of optimisers and schedules as JSON and tensors, without pickle."""

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import torch as safetensors

_JSON = "json"


def dumps(tree: Any) -> bytes:
    """Serialise a tree as safetensors: every tensor, and the JSON of the rest as bytes.

    Args:
        tree: mappings with keys of int and str, lists, tuples, tensors, numbers, texts, None.
    """
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_take_apart(tree, tensors)).encode()
    tensors[_JSON] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    data: bytes = safetensors.save(tensors)
    return data


def loads(data: bytes) -> Any:
    """Rebuild the tree, its tensors on the CPU in the memory layout that they had.

    Raises:
        ValueError, KeyError, SafetensorError: the bytes are not what `dumps` made.
    """
    tensors = safetensors.load(data)
    return _put_together(json.loads(tensors.pop(_JSON).numpy().tobytes()), tensors)


def _take_apart(tree: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(tree, torch.Tensor):
        name = f"t{len(tensors)}"
        tensors[name] = tree.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name, "channels_last": _channels_last(tree)}
    if isinstance(tree, Mapping):
        return {"map": [[key, _take_apart(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, tuple):
        return {"tuple": [_take_apart(value, tensors) for value in tree]}
    if isinstance(tree, list):
        return [_take_apart(value, tensors) for value in tree]
    return tree


def _put_together(node: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(node, list):
        return [_put_together(value, tensors) for value in node]
    if not isinstance(node, dict):
        return node
    if "map" in node:
        return {key: _put_together(value, tensors) for key, value in node["map"]}
    if "tuple" in node:
        return tuple(_put_together(value, tensors) for value in node["tuple"])
    tensor = tensors[node["tensor"]]
    # The layout decides which kernel adds, and so the last bits of a sum.
    return tensor.contiguous(memory_format=torch.channels_last) if node["channels_last"] else tensor


def _channels_last(tensor: torch.Tensor) -> bool:
    return (
        tensor.ndim == 4
        and tensor.is_contiguous(memory_format=torch.channels_last)
        and not tensor.is_contiguous()
    )
