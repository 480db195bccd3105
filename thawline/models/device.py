"""Select and set up the device and its numerics, and bring images to it."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from thawline.errors import UserError
from thawline.models import malloc

_MOST_WORKERS = 8
"""Largest number of workers: more do not make a batch sooner, and each takes a process's memory."""


def setup(*, threads: int, seed: int, deterministic: bool = True) -> None:
    """Fix what changes the bits of a result: threads, seed, choice of algorithms.

    On the CPU training is then bit-exact for one kind of processor: its algorithms are so already,
    and PyTorch's deterministic mode would only slow them down (a training step on 2 cores took 0.7
    instead of 0.2 s). On CUDA that mode is needed, and operators without such a form warn; without
    `deterministic`, cuDNN times its algorithms and takes the fastest.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(deterministic and torch.cuda.is_available(), warn_only=True)
    torch.backends.cudnn.benchmark = not deterministic
    # Subnormal numbers in trained weights slow a CPU down many times over.
    torch.set_flush_denormal(True)
    malloc.keep()  # changes no bit


def select(device: str) -> torch.device:
    """Select the device; `auto` takes CUDA where there is one.

    Raises:
        UserError: cuda is asked for and absent.
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UserError(
            "params.yaml: training.device: 'cuda' is not available here; allowed: auto, cpu"
        )
    return torch.device("cuda" if available and device != "cpu" else "cpu")


def workers(wanted: int | str, device: torch.device, *, processes: int = 1) -> int:
    """Choose the number of processes that augment; `auto` takes a core each, at most eight.

    One core is left to each of the `processes` that train on this machine. With training on a CPU
    `auto` takes none: they would take the cores from it.
    """
    if isinstance(wanted, int):
        return wanted
    if device.type == "cpu":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(_MOST_WORKERS, max(0, (cores or 1) // processes - 1))


def check_compiler(wanted: bool) -> None:
    """Check before the long part of a stage that torch.compile can work.

    Raises:
        UserError: training.compile is on, without the C++ compiler that PyTorch calls.
    """
    compiler = os.environ.get("CXX", "g++")
    if wanted and shutil.which(compiler) is None:
        raise UserError(
            f"params.yaml: training.compile: true needs a C++ compiler, and there is no "
            f"{compiler!r} here; allowed: false"
        )


def to_input(
    images: np.ndarray | torch.Tensor,
    *,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Normalise packed images.

    Args:
        images: uint8 (B, S, S, 3), RGB; a tensor in pinned memory is copied to a GPU while the
            caller goes on.
        mean: mean per channel, of values in [0, 1].
        std: standard deviation per channel, likewise.
        device: device of the result.

    Returns:
        float32 (B, 3, S, S), channels-last in memory.
    """
    moved = torch.as_tensor(images).to(device, non_blocking=True)
    pixels = moved.permute(0, 3, 1, 2)  # NHWC is channels-last already
    scale = torch.tensor([1 / (255 * s) for s in std], device=device).view(1, 3, 1, 1)
    shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=device)
    return pixels.float().mul_(scale).add_(shift.view(1, 3, 1, 1))


def has_room(num_bytes: int, device: torch.device) -> bool:
    """Tell whether so many bytes take at most half of a GPU's free memory; on a CPU never.

    What is kept there changes no bit of a result, so this may depend on what else runs.
    """
    return device.type == "cuda" and num_bytes <= torch.cuda.mem_get_info(device)[0] // 2


def resident(views: Sequence[torch.Tensor], device: torch.device) -> Sequence[torch.Tensor]:
    """Move tensors to a GPU that has room for them, so that no batch has to be copied."""
    fits = has_room(sum(view.nbytes for view in views), device)
    return [view.to(device) for view in views] if fits else views


@contextmanager
def numerics(precision: str, device: torch.device) -> Iterator[None]:
    """Compute in float32 throughout, or in bfloat16 where autocast allows it."""
    enabled = precision == "bfloat16"
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled):
        yield
