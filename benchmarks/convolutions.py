"""Training steps with and without the quick convolutions, in alternation.

    python -m benchmarks.convolutions [NAME] [SIZE_PX] [BATCH]

Prints the median step of each and their ratio, measured in one process.
"""

import statistics
import sys
import time

import torch
from torch import nn

from thawline.models import device
from thawline.models import network as networks
from thawline.training.cpu import quick

_ROUNDS, _WARM_UP = 15, 3


def main(name: str = "tf_efficientnet_lite0", size_px: str = "64", batch: str = "32") -> None:
    device.setup(threads=2, seed=0)
    network = networks.build("efficientnet", name, num_classes=10, dropout=0.2, seed=0)
    network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    side = int(size_px)
    images = torch.randn(int(batch), 3, side, side).to(memory_format=torch.channels_last)
    times: dict[str, list[float]] = {"float32": [], "none": []}
    for round_number in range(_ROUNDS + _WARM_UP):
        for kind, measured in times.items():
            taken = _step(network, images, kind)
            if round_number >= _WARM_UP:
                measured.append(taken)
    quick, plain = (statistics.median(measured) for measured in times.values())
    print(f"{name} at {side} px, batch {batch}, medians of {_ROUNDS}:")
    print(f"PyTorch {plain * 1e3:.0f} ms, quick {quick * 1e3:.0f} ms, ratio {plain / quick:.2f}")


def _step(network: nn.Module, images: torch.Tensor, kind: str) -> float:
    began = time.perf_counter()
    with quick.convolutions(torch.device("cpu"), kind):
        loss = network(images).square().mean()
    loss.backward()
    network.zero_grad(set_to_none=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*sys.argv[1:])
