"""Hash the inputs of a result in 16 hexadecimal digits: keys of what is kept between runs."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

import numpy as np
import torch

from thawline.dataset.image_store import ImageStore
from thawline.dvc import code
from thawline.params import plugins

_LIBRARIES = ("torch", "torchvision", "timm", "albumentations", "imbalanced-learn", "numpy")
_BATCH = 256
_CODE = (
    "stages.ingest", "stages.rebalance", "stages.augment", "stages.transfer_learn",
    "stages.fine_tune", f"plugins.{plugins.FAMILY.key}", f"plugins.{plugins.CONVOLUTION.key}",
)  # fmt: skip
"""Of all that computes features or trains: which of it a network runs through is not worth
knowing. What draws, reports, tracks and serves is none of it."""


def hash_values(values: Any) -> str:
    """Hash plain values that JSON can hold."""
    return _digest([json.dumps(values, sort_keys=True).encode()])


def hash_arrays(*arrays: np.ndarray | None) -> str:
    """Hash arrays with their dtypes and shapes; None is a value of its own."""
    return _digest(
        part
        for array in arrays
        for part in (
            [b"none"]
            if array is None
            else [f"{array.dtype} {array.shape}".encode(), np.ascontiguousarray(array).tobytes()]
        )
    )


def hash_tensors(state: Mapping[str, torch.Tensor]) -> str:
    """Hash names, dtypes, shapes and bits of tensors, on whatever device they are."""
    return _digest(
        part
        for name, value in state.items()
        for part in (
            f"{name} {value.dtype} {tuple(value.shape)}".encode(),
            value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes(),
        )
    )


def hash_images(store: ImageStore, rows: np.ndarray) -> str:
    """Hash the pixels of rows as they lie in the store now."""
    return _digest(batch.tobytes() for batch in store.batches(rows, _BATCH))


def describe_machine(device: torch.device) -> dict[str, str]:
    """Name what changes the last bits of a result beside its inputs: device, code, libraries."""
    named = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return {
        "device": f"{device.type} {named} {torch.backends.cpu.get_cpu_capability()}",
        "threads": str(torch.get_num_threads()),
        "code": code.running().digest(*_CODE),
        "libraries": hash_values({name: metadata.version(name) for name in _LIBRARIES}),
    }


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()[:16]
