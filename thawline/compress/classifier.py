"""Replace the classifier of exported files: the last linear layer, float even in int8 files."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import numpy_helper

from thawline.compress.strip_onnx import write
from thawline.models.network import Network
from thawline.runtime.progress import log

_HEAD = "network.head."
"""Prefix of the exporter for the names of the head's tensors."""


def replace(files: Sequence[Path], network: Network) -> bool:
    """Replace the classifier in ONNX files of the same network; return whether it was done.

    It is not done where a file holds other tensors of the head than the network. A new export would
    take some 5 s and a new int8 file as long, for the same layers before the classifier.
    """
    tensors = {
        f"{_HEAD}{name}": value.detach().numpy() for name, value in network[-1].state_dict().items()
    }
    made = []
    for path in files:
        model = onnx.load(path)
        held = {one.name: one for one in model.graph.initializer if one.name.startswith(_HEAD)}
        shapes = {name: tuple(one.dims) for name, one in held.items()}
        if shapes != {name: value.shape for name, value in tensors.items()}:
            log(
                f"warning: {path}: holds {', '.join(sorted(shapes)) or 'no tensor'} of the head; "
                "its classifier stays as it was fitted to the training images alone"
            )
            return False
        for name, one in held.items():
            one.CopyFrom(numpy_helper.from_array(tensors[name], name))
        made.append((model, path))
    for model, path in made:
        write(model, path)
    return True
