"""Latency of one image in PyTorch, ONNX Runtime and ONNX Runtime with 8-bit integers, in turn.

    python -m benchmarks.compress [THREADS] [ROUNDS]

Random weights: they change no time. Each round times every form of a network once, so that a busy
machine disturbs all of them alike; medians over the rounds of medians, and their ratios.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from thawline.compress.export import export
from thawline.compress.quantize import quantize
from thawline.cost import hardware, latency
from thawline.cost.memory import size_mb
from thawline.models import network as networks

_NETWORKS = (
    ("resnet", "resnet18", 160),
    ("efficientnet", "tf_efficientnet_lite0", 160),
    ("efficientnet", "tf_efficientnet_lite0", 64),
    ("mobilenet", "mobilenet_v3_small", 96),
)
_REPEATS = 50
_CLASSES = 10


def main(threads: str = "2", rounds: str = "7") -> None:
    device = hardware.describe("cpu", int(threads))
    print(f"{device.name}, {device.instructions}, {threads} threads, PyTorch {device.torch}, ")
    print(f"ONNX Runtime {device.onnxruntime}; medians of {rounds} rounds of {_REPEATS}, ms\n")
    print("| network | PyTorch | float | int8 | PyTorch/float | float/int8 | float MB | int8 MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for family, name, size_px in _NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            print(_row(Path(folder), family, name, size_px, int(threads), int(rounds)), flush=True)


def _row(folder: Path, family: str, name: str, size_px: int, threads: int, rounds: int) -> str:
    network = networks.build(family, name, num_classes=_CLASSES, dropout=0.0, seed=0).eval()
    of, rng = networks.describe(family, name), np.random.default_rng(0)
    whole, small = folder / "model.onnx", folder / "int8.onnx"
    export(network, whole, image_size_px=size_px, mean=of.mean, std=of.std)
    images = rng.integers(0, 256, (32, size_px, size_px, 3), dtype=np.uint8)
    quantize(whole, small, [images], method="minmax")
    how: dict[str, Any] = {
        "image_size_px": size_px, "batch_size": 1, "repeats": _REPEATS, "threads": threads,
        "rng": rng,
    }  # fmt: skip
    forms: dict[str, Callable[[], latency.Speed]] = {
        "torch": lambda: latency.measure_network(
            network, mean=of.mean, std=of.std, device="cpu", **how
        ),
        "float": lambda: latency.measure_session(whole, **how),
        "int8": lambda: latency.measure_session(small, **how),
    }
    times: dict[str, list[float]] = {form: [] for form in forms}
    for _ in range(rounds):
        for form, measure in forms.items():
            times[form].append(measure().latency_ms)
    torch_ms, float_ms, int8_ms = (statistics.median(found) for found in times.values())
    return (
        f"| {name}, {size_px} px | {torch_ms:.2f} | {float_ms:.2f} | {int8_ms:.2f} "
        f"| {torch_ms / float_ms:.1f} | {float_ms / int8_ms:.2f} "
        f"| {size_mb(whole):.1f} | {size_mb(small):.1f} |"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
