"""One 3 x 3 convolution in float32, simulated with signs, and with packed bits, in alternation.

    python -m benchmarks.xnor [CHANNELS] [SIDE_PX] [THREADS]

Prints the median time of each for one image. NumPy's loops use one thread whatever THREADS says.
"""

import statistics
import sys
import time

import torch
from torch import nn

from thawline.models import device
from thawline.models.convolutions import xnor
from thawline.models.surgery.binary import BinaryConv2d
from thawline.models.surgery.block_style import Style
from thawline.models.surgery.packed_xnor import PackedConv2d

_ROUNDS, _WARM_UP = 30, 5


def main(channels: str = "256", side: str = "14", threads: str = "1") -> None:
    device.setup(threads=int(threads), seed=0)
    conv = nn.Conv2d(int(channels), int(channels), 3, padding=1, bias=False)
    style = Style(normalisation=nn.BatchNorm2d(1), activation=nn.ReLU())
    binary = xnor.replace(conv, style)
    assert isinstance(binary, BinaryConv2d)
    layers = {"float32": conv, "simulated": binary, "packed": PackedConv2d(binary)}
    image = torch.randn(1, int(channels), int(side), int(side))
    times: dict[str, list[float]] = {name: [] for name in layers}
    for round_number in range(_ROUNDS + _WARM_UP):
        for name, layer in layers.items():
            began = time.perf_counter()
            with torch.inference_mode():
                layer.eval()(image)
            if round_number >= _WARM_UP:
                times[name].append(time.perf_counter() - began)
    print(f"{channels} channels at {side} px, {threads} thread(s), medians of {_ROUNDS}:")
    for name, measured in times.items():
        print(f"{name} {statistics.median(measured) * 1e3:.2f} ms")


if __name__ == "__main__":
    main(*sys.argv[1:])
