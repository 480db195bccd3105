"""Explain predictions by Grad-CAM: where a network looked.

Source: R. Selvaraju et al., 2017, "Grad-CAM: visual explanations from deep networks via
gradient-based localization".
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from thawline.models.device import to_input
from thawline.models.inference import Normalisation
from thawline.models.multilevel import Carried, Reading, map_of
from thawline.models.network import Network

MIN_SIDE = 4
"""A map of fewer rows shows nothing; at small images the last blocks have only one or two."""


def grad_cam(
    network: Network,
    images: NDArray[np.uint8],
    classes: NDArray[np.int64],
    card: Normalisation,
) -> NDArray[np.float32]:
    """Compute how much each place spoke for a class, on the CPU.

    Args:
        network: in evaluation mode.
        images: uint8 (B, S, S, 3).
        classes: the class to explain, int64 (B,).
        card: normalisation of the network's input.

    Returns:
        float32 (B, S, S) in [0, 1], the largest value of an image being 1; all 0 where nothing
        spoke for the class.
    """
    from captum.attr import LayerAttribution, LayerGradCam

    if not len(images):
        return np.zeros(images.shape[:3], np.float32)
    inputs = to_input(images, mean=card.mean, std=card.std, device="cpu")
    inputs.requires_grad_(True)  # of frozen networks no parameter asks for a gradient
    explain = LayerGradCam(network, layer(network, inputs[:1]))
    maps = explain.attribute(inputs, torch.from_numpy(classes), relu_attributions=True)
    large = LayerAttribution.interpolate(maps, images.shape[1:3], "bilinear")
    found: NDArray[np.float32] = large.detach()[:, 0].numpy()
    peak = found.max(axis=(1, 2), keepdims=True)
    heat: NDArray[np.float32] = np.zeros_like(found)
    np.divide(found, peak, out=heat, where=peak > 0)
    return heat


def layer(network: Network, inputs: torch.Tensor) -> nn.Module:
    """Find the last block whose output has MIN_SIDE rows, or the last one with any rows.

    Args:
        network: in evaluation mode.
        inputs: one normalised image, float32 (1, 3, S, S).
    """
    chosen: nn.Module | None = None
    carried: Carried = inputs
    with torch.no_grad():
        for block in network:
            # The last block that is read hands on features alone; its map is one module inside.
            inner = block.block if isinstance(block, Reading) else block
            maps = inner(map_of(carried)) if inner is not block else None
            carried = block(carried)
            seen = map_of(carried) if maps is None else maps
            if seen.ndim == 4 and (chosen is None or seen.shape[2] >= MIN_SIDE):
                chosen = inner
    assert chosen is not None, "a convolutional network has maps"
    return chosen


def overlay(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Overlay heat on a grey image, warm where the network looked, uint8 (S, S, 3)."""
    grey = image.mean(axis=2, keepdims=True) * 0.7 + 40
    warm = np.array([235.0, 96.0, 20.0])
    share = 0.75 * heat[..., None]
    mixed: NDArray[np.uint8] = (grey * (1 - share) + warm * share).clip(0, 255).astype(np.uint8)
    return mixed
