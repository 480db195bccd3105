"""Export a network as an ONNX file from pixels to probabilities, and check that both agree.

Exported through torch.export ("dynamo"), not through TorchScript: with tf_efficientnet_lite0 at
64 px TorchScript takes 2 s instead of 5, but its file computes the padding anew for every image
(601 nodes instead of 109) and needs 1.65 ms for one image instead of 1.23; it is also deprecated.
Both write the same bytes for the same network.
"""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from thawline.compress.strip_onnx import BATCH, write
from thawline.cost.ort_session import INPUT, OUTPUT, predict, session
from thawline.errors import UserError

OLDEST_OPSET = 18


class Classifier(nn.Module):
    """Network with normalisation and softmax: uint8 (N, S, S, 3) to probabilities (N, K)."""

    pixel_mean: torch.Tensor
    pixel_std: torch.Tensor

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        # Not `mean`: PyTorch's exporter fails where a tensor has the name of an operator's output.
        self.register_buffer("pixel_mean", 255 * torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("pixel_std", 255 * torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pixels = images.permute(0, 3, 1, 2).to(torch.float32)
        return torch.softmax(self.network((pixels - self.pixel_mean) / self.pixel_std), dim=1)


def export(
    network: nn.Sequential,
    path: Path,
    *,
    image_size_px: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    opset: int = 18,
) -> None:
    """Write `network` with its normalisation and softmax; equal arguments give equal bytes.

    Input `images`: uint8 (N, S, S, 3), RGB, any N. Output `probabilities`: float32 (N, K).

    Args:
        network: takes float32 (B, 3, S, S), normalised, and gives logits (B, K). Left as it is.
        path: file to write.
        image_size_px: S.
        mean: mean of pixels in [0, 1], per channel.
        std: their standard deviation, per channel.
        opset: ONNX operator set, from 18; PyTorch writes 18 and converts upwards.

    Raises:
        UserError: ONNX, or this operator set, cannot express the network.
    """
    if opset < OLDEST_OPSET:  # PyTorch would log an error and write 18
        raise UserError(f"compress.opset: {opset} is not allowed; must be at least {OLDEST_OPSET}")
    try:
        program = traced(network, image_size_px=image_size_px, mean=mean, std=std)
        exported = torch.onnx.export(
            program, (), dynamo=True, opset_version=opset, verbose=False,
            input_names=[INPUT], output_names=[OUTPUT],
        )  # fmt: skip
    except RuntimeError as error:  # the base of what torch.export and torch.onnx raise
        raise UserError(
            f"{path}: the network cannot be written as ONNX: {first_line(error)}"
        ) from error
    assert exported is not None
    if exported.model_proto.opset_import[0].version != opset:
        raise UserError(
            f"compress.opset: {opset} is not allowed; this network cannot be written with it"
        )
    write(exported.model_proto, path)


def traced(
    network: nn.Sequential,
    *,
    image_size_px: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> torch.export.ExportedProgram:
    """Trace the classifier as a graph; arguments as for `export`.

    Raises:
        RuntimeError: or one derived from it: the network cannot be traced.
    """
    classifier = _plain(Classifier(network, mean, std))
    # An example of one image would fix N at 1: torch.export takes sizes 0 and 1 as constants.
    example = torch.zeros(2, image_size_px, image_size_px, 3, dtype=torch.uint8)
    return torch.export.export(
        classifier, (example,), dynamic_shapes=({0: torch.export.Dim(BATCH)},)
    )


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Agreement of an exported file with its network, on the same images."""

    num_images: int
    max_difference: float
    """Largest absolute difference of a probability."""
    num_differing: int = 0
    """Images on which the difference is larger than allowed, where on some it may be."""


def verify(
    path: Path,
    images: NDArray[np.uint8],
    expected: NDArray[np.float32],
    *,
    max_difference: float,
    threads: int,
    tolerated: float = 0.0,
) -> Agreement:
    """Run an ONNX file on real images and `compare` it with the network's own probabilities.

    `images` are uint8 (N, S, S, 3), RGB, N >= 1; further arguments as for `compare`.
    """
    found = predict(session(path, threads), images)
    return compare(
        path.name, found, expected, max_difference=max_difference, tolerated=tolerated
    )  # fmt: skip


def compare(
    name: str,
    found: NDArray[np.float32],
    expected: NDArray[np.float32],
    *,
    max_difference: float,
    tolerated: float = 0.0,
) -> Agreement:
    """Compare the probabilities of an exported file with the network's own.

    Args:
        name: name of the file, for messages.
        found: probabilities of the file, float32 (N, K), N >= 1.
        expected: probabilities of the network for these images, float32 (N, K), computed the
            ordinary way, so that a wrong normalisation inside the file shows.
        max_difference: largest absolute difference that is allowed.
        tolerated: share of the images on which it may be larger, for a binary network: the last bit
            of a sum near zero can turn a sign.

    Raises:
        UserError: probabilities differ by more on more images, or another class comes first.
    """
    if found.shape != expected.shape or not len(found):
        raise ValueError(
            f"expected {expected.shape} probabilities of at least one image, got {found.shape}"
        )
    by_image = np.abs(found - expected).max(axis=1)
    within = by_image <= max_difference
    differing, difference = int((~within).sum()), float(by_image.max())
    if differing > tolerated * len(found) or np.isnan(difference):
        raise UserError(
            f"compress.max_difference: {max_difference:g} is exceeded: {name} differs from the "
            f"PyTorch network by up to {difference:.3g} on {differing} of {len(found)} images"
        )
    changed = int((found.argmax(axis=1) != expected.argmax(axis=1))[within].sum())
    if changed:
        raise UserError(
            f"{name}: predicts another class than PyTorch for {changed} of {len(found)} "
            f"images, though no probability differs by more than {max_difference:g}"
        )
    return Agreement(num_images=len(found), max_difference=difference, num_differing=differing)


def _plain(classifier: Classifier) -> Classifier:
    """Copy without in-place activations and gradients, whose tracing doubles an export's time."""
    plain = copy.deepcopy(classifier).cpu().eval().requires_grad_(False)
    for module in plain.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    return plain


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the error's class."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
