"""Write the files that other people's software runs, each checked on real images."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thawline.compress import pt2
from thawline.compress.export import compare, export, verify
from thawline.cost.memory import size_mb
from thawline.models.checkpoint import ModelConfig
from thawline.models.inference import probabilities
from thawline.models.network import Network
from thawline.params.schema.results import Compress

ONNX = "model.onnx"
_TURNED = 0.05
"""Share of the images that may differ with binary layers: on two of 256 digits ResNet-18 answered
otherwise in ONNX Runtime, by 0.5, since a sum near zero had another sign."""


def write(
    folder: Path,
    network: Network,
    card: ModelConfig,
    images: NDArray[np.uint8],
    section: Compress,
    *,
    threads: int,
) -> dict[str, Any]:
    """Write the ONNX file and compare it with the network.

    `images` are of validation rows, uint8 (N, S, S, 3), N >= 1.

    Returns:
        Metrics of the file.

    Raises:
        UserError: the network cannot be written, or the file's probabilities differ from its own.
    """
    export(network, folder / ONNX, opset=section.opset, **_shape(card))
    return check(folder, network, card, images, section, threads=threads)


def check(
    folder: Path,
    network: Network,
    card: ModelConfig,
    images: NDArray[np.uint8],
    section: Compress,
    *,
    threads: int,
) -> dict[str, Any]:
    """Compare the ONNX file with the network.

    Arguments, result and errors as for `write`.
    """
    expected = probabilities(network, [images], card)
    file = folder / ONNX
    limits = _limits(card, section)
    agreed = verify(file, images, expected, threads=threads, **limits)
    metrics: dict[str, Any] = {
        "opset": section.opset,
        "max_difference": agreed.max_difference,
        "checked_images": agreed.num_images,
        "size_mb": size_mb(file),
    }
    if limits["tolerated"]:
        metrics["differing_images"] = agreed.num_differing
    return metrics


def write_pt2(
    folder: Path,
    network: Network,
    card: ModelConfig,
    images: NDArray[np.uint8],
    section: Compress,
) -> dict[str, Any]:
    """Write the file of torch.export and compare it with the network.

    Arguments, result and errors as for `write`.
    """
    file = folder / pt2.FILE
    pt2.export(network, file, **_shape(card))
    expected = probabilities(network, [images], card)
    agreed = compare(
        file.name, pt2.predict(file, images), expected, **_limits(card, section)
    )  # fmt: skip
    return {"max_difference": agreed.max_difference, "size_mb": size_mb(file)}


def _limits(card: ModelConfig, section: Compress) -> dict[str, Any]:
    return {"max_difference": section.max_difference, "tolerated": _tolerated(card)}


def _shape(card: ModelConfig) -> dict[str, Any]:
    return {"image_size_px": card.image_size_px, "mean": card.mean, "std": card.std}


def _tolerated(card: ModelConfig) -> float:
    return _TURNED if card.design.convolution == "xnor" else 0.0
