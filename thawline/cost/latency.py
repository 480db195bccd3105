"""Measure latency and throughput, one measurement at a time on a machine.

The time is that from pixels in memory, uint8 (B, S, S, 3), to probabilities in memory, the same for
PyTorch and ONNX Runtime: normalisation, the copies to and from a GPU, softmax. Decoding and
resizing of image files are not included.
"""

import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from thawline.cost.ort_session import predict, session
from thawline.models.device import to_input
from thawline.runtime import workspace
from thawline.runtime.progress import log

Channels = tuple[float, float, float]
Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
WARM_UP = 10
MIN_REPEATS = 50
_BATCHES_S = 0.5
_MIN_BATCHES = 3


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Times of one network on one device."""

    latency_ms: float
    """Median time of one image."""
    latency_p95_ms: float
    latency_p99_ms: float
    throughput_per_s: float
    """Images per second in batches of `batch_size`, by the median batch."""
    batch_size: int
    repeats: int
    """Timed calls behind the latency, after WARM_UP untimed ones."""
    throughput_by_batch: dict[int, float]
    """Images per second by batch size: 1, a quarter of `batch_size`, it, and twice it."""
    best_batch: int
    """Batch size with the most images per second, of equal ones the smallest."""


def measure_network(
    network: nn.Module,
    *,
    mean: Channels,
    std: Channels,
    image_size_px: int,
    batch_size: int,
    repeats: int,
    threads: int,
    device: str,
    rng: np.random.Generator,
) -> Speed:
    """Time a PyTorch network in evaluation mode on `device`, to which it is moved.

    It takes float32 (B, 3, S, S), normalised by mean and std per channel of values in [0, 1], and
    returns logits (B, K).

    Raises:
        ValueError: there are fewer than MIN_REPEATS repeats.
    """
    network = network.eval().to(device)

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        # The copy back to the CPU waits for the GPU, so the clock stops after the work is done.
        inputs = to_input(images, mean=mean, std=std, device=device)
        return torch.softmax(network(inputs), dim=1).cpu().numpy()

    with exclusive(), _torch_threads(threads), torch.inference_mode():
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        return _measure(run, image_size_px, batch_size, repeats, rng)


def measure_session(
    path: Path,
    *,
    image_size_px: int,
    batch_size: int,
    repeats: int,
    threads: int,
    rng: np.random.Generator,
) -> Speed:
    """Time an ONNX file in ONNX Runtime on the CPU.

    Raises:
        ValueError: there are fewer than MIN_REPEATS repeats.
    """
    network = session(path, threads)
    with exclusive():
        return _measure(
            lambda images: predict(network, images, batch_size=len(images)),
            image_size_px, batch_size, repeats, rng,
        )  # fmt: skip


@contextmanager
def exclusive() -> Iterator[None]:
    """Hold the machine's measurement lock; wait, and log so, while another process holds it.

    One lock per user and machine, in the system's temporary folder, so that parallel runs in
    different folders take turns. The kernel frees it when its holder dies.
    """
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    common = Path(tempfile.gettempdir()) / f"thawline-measure-{user}.lock"
    lock = filelock.FileLock(common)
    try:
        _wait_for(lock)
    except OSError as error:  # a file or link that another account has put there
        log(
            f"speed: {common}: cannot be used: {error.strerror or error}; measurements take turns "
            "within this project only"
        )
        (workspace.scratch() / "locks").mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(workspace.scratch() / "locks" / "measure.lock")
        _wait_for(lock)
    try:
        yield
    finally:
        lock.release()


def _wait_for(lock: filelock.BaseFileLock) -> None:
    try:
        lock.acquire(timeout=2)
    except filelock.Timeout:
        log("speed: waiting for another measurement on this machine")
        lock.acquire()


def _measure(
    run: Predict, image_size_px: int, batch_size: int, repeats: int, rng: np.random.Generator
) -> Speed:
    if repeats < MIN_REPEATS:
        raise ValueError(f"repeats must be at least {MIN_REPEATS}, not {repeats}")
    shape = (image_size_px, image_size_px, 3)
    one = rng.integers(0, 256, (1, *shape), dtype=np.uint8)
    many = rng.integers(0, 256, (2 * batch_size, *shape), dtype=np.uint8)
    with _no_garbage_collection():
        single = _times_s(run, one, warm_up=WARM_UP, repeats=repeats)
        rates = {
            size: size / float(np.median(_batch_times_s(run, many[:size])))
            for size in sorted({max(2, batch_size // 4), max(2, batch_size), 2 * batch_size})
        }
    rates = {1: 1 / float(np.median(single)), **rates}
    return Speed(
        latency_ms=1e3 * float(np.median(single)),
        latency_p95_ms=1e3 * float(np.quantile(single, 0.95)),
        latency_p99_ms=1e3 * float(np.quantile(single, 0.99)),
        throughput_per_s=rates[batch_size],
        batch_size=batch_size,
        repeats=repeats,
        throughput_by_batch=rates,
        best_batch=max(rates, key=lambda size: (rates[size], -size)),
    )


def _batch_times_s(run: Predict, images: NDArray[np.uint8]) -> list[float]:
    """Time half a second of batches, at least three: a large network must not take minutes."""
    run(images)
    times: list[float] = []
    while len(times) < MIN_REPEATS and (len(times) < _MIN_BATCHES or sum(times) < _BATCHES_S):
        times.extend(_times_s(run, images, warm_up=0, repeats=1))
    return times


def _times_s(
    run: Predict, images: NDArray[np.uint8], *, warm_up: int, repeats: int
) -> NDArray[np.float64]:
    for _ in range(warm_up):
        run(images)
    times = np.empty(repeats)
    for i in range(repeats):
        started = time.perf_counter()
        run(images)
        times[i] = time.perf_counter() - started
    return times


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
