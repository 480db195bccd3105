"""Count a network's parameters and multiply-accumulate operations."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def num_parameters(network: nn.Module) -> int:
    """Count trainable and frozen weights; running statistics of batch norm are no parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def num_macs(network: nn.Module, image_size_px: int) -> int:
    """Count the multiply-accumulates of one image, as papers state them (often as "FLOPs").

    PyTorch's counter counts a multiplication and an addition as two operations and knows
    convolutions and matrix products; activations, pooling and normalisation count nothing.
    The network, which takes float32 (B, 3, S, S), runs once on its device in evaluation mode; its
    training mode is restored.
    """
    modes = {module: module.training for module in network.modules()}
    device = next(network.parameters()).device
    counter = FlopCounterMode(display=False)
    try:
        with torch.inference_mode(), counter:
            network.eval()(torch.zeros(1, 3, image_size_px, image_size_px, device=device))
    finally:
        for module, mode in modes.items():
            module.training = mode
    return counter.get_total_flops() // 2
