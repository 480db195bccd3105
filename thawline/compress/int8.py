"""Add an int8 file beside the float one: calibrated on training, judged on validation images."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from thawline.compress.quantize import Method, compare, quantize
from thawline.cost.memory import size_mb
from thawline.cost.ort_session import INT8_FILE
from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.runtime.progress import log

_BATCH = 32
_AGREEMENT = 0.95
_FLOAT_SHARES = (0.0, 0.25)
"""Shares of the convolutions, the first ones, that stay in float32: the second share is tried where
the first loses too much, or names another class for more than 1 - _AGREEMENT of the images, which
on few of them may cost no accuracy by luck (with 34 validation images of textures 85 %, of the test
images 91, with the second 93 %). Of 140 validation images of emoji at 160 px EfficientNet-Lite0
with a head on five blocks named the same class for 91 and 99 %; with the last quarter, half or
three quarters of the convolutions in float32 for 91, 93 and 94 %."""


def add(
    source: Path,
    manifest: Manifest,
    store: ImageStore,
    *,
    calibration_images: int,
    method: Method,
    max_drop: float,
    seed: int,
    threads: int,
) -> dict[str, Any]:
    """Write INT8_FILE beside an exported network, unless it loses too much accuracy.

    No time is measured for that choice, so equal inputs keep the same files. Training rows, as many
    as calibration_images, are drawn by seed and set the ranges; max_drop is of validation accuracy.

    Returns:
        `kept`, and unless ONNX Runtime cannot quantise the network, the comparison and size_mb.
    """
    train, val = manifest.rows("train"), manifest.rows("val")
    chosen = np.sort(np.random.default_rng(seed).permutation(train)[:calibration_images])
    tries: dict[Path, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for share in _FLOAT_SHARES:
            file = Path(scratch) / f"{share}.onnx"
            calibration = store.batches(chosen, _BATCH)
            try:
                floats = quantize(source, file, calibration, method=method, float_share=share)
            except UserError as error:
                log(f"warning: {error}")
                break
            if any(floats == one["float_convolutions"] for one in tries.values()):
                break
            images, labels = store.batches(val, _BATCH), manifest.labels[val]
            found = asdict(compare(file, source, images, labels, threads=threads))
            kept = found["drop"] <= max_drop
            measured = {"float_convolutions": floats, **found, "size_mb": size_mb(file)}
            tries[file] = {"kept": kept, **measured}
            if kept and found["agreement"] >= _AGREEMENT:
                break
        if not tries:
            return {"kept": False}
        file, best = max(tries.items(), key=lambda one: preference(one[1]))
        if best["kept"]:
            shutil.copyfile(file, source.with_name(INT8_FILE))
    return best


def preference(one: Mapping[str, Any]) -> tuple[bool, float, float]:
    """Return a key that orders files: those that may be kept by agreement, the others by loss."""
    return one["kept"], one["agreement"] if one["kept"] else 0.0, -one["drop"]
