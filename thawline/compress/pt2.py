"""Export a network by torch.export, for servers and phones that run PyTorch without Python."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from thawline.compress.export import first_line, traced
from thawline.errors import UserError

FILE = "model.pt2"
_BATCH = 64


def export(
    network: nn.Sequential,
    path: Path,
    *,
    image_size_px: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> None:
    """Write `network` with its normalisation and softmax, as the ONNX file has them.

    Equal arguments and file names give equal bytes: PyTorch dates every entry 1980, and stack
    traces are dropped here. `network` takes float32 (B, 3, S, S), normalised, gives logits (B, K)
    and is left as it is; `mean` and `std` are of pixels in [0, 1], per channel.

    Raises:
        UserError: the network cannot be traced.
    """
    try:
        program = traced(network, image_size_px=image_size_px, mean=mean, std=std)
    except RuntimeError as error:
        raise UserError(f"{path}: the network cannot be exported: {first_line(error)}") from error
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    torch.export.save(program, path)


def predict(path: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Predict probabilities by the file, float32 (N, K), of images uint8 (N, S, S, 3)."""
    network = torch.export.load(path).module()
    with torch.inference_mode():
        parts = [
            network(torch.from_numpy(images[i : i + _BATCH])) for i in range(0, len(images), _BATCH)
        ]
    return torch.cat(parts).numpy()
