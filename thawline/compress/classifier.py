"""Give exported files another classifier: the last linear layer, which int8 files have in float."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import numpy_helper

from thawline.compress.strip_onnx import write
from thawline.models.network import Network
from thawline.runtime.progress import log

_HEAD = "network.head."
"""What the exporter puts before the names of the head's tensors."""


def replace(files: Sequence[Path], network: Network) -> bool:
    """Put the classifier of a network in the place of the one in files of the same network.

    A new export takes some 5 s and a new int8 file as long; what lies before the classifier would
    be the same.

    Args:
        files: of ONNX, rewritten.

    Returns:
        Whether it was done; not where a file holds other tensors of the head than the network.
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
