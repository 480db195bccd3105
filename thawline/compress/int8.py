"""The int8 file beside the float one: made from training images, judged on validation images."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from thawline.compress.quantize import Method, compare, quantize
from thawline.compress.session import INT8_FILE
from thawline.data.manifest import Manifest
from thawline.data.store import ImageStore
from thawline.errors import UserError
from thawline.evaluation.memory import size_mb
from thawline.progress import log

_BATCH = 32


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

    No time is measured for that choice, so equal inputs keep the same files.

    Args:
        calibration_images: training rows that set the ranges, drawn by seed.
        max_drop: of validation accuracy.

    Returns:
        kept; and unless ONNX Runtime cannot quantise the network the comparison and size_mb.
    """
    target = source.with_name(INT8_FILE)
    train, val = manifest.rows("train"), manifest.rows("val")
    chosen = np.sort(np.random.default_rng(seed).permutation(train)[:calibration_images])
    try:
        quantize(source, target, store.batches(chosen, _BATCH), method=method)
    except UserError as error:
        log(f"warning: {error}")
        return {"kept": False}
    images, labels = store.batches(val, _BATCH), manifest.labels[val]
    found = compare(target, source, images, labels, threads=threads)
    size, kept = size_mb(target), found.drop <= max_drop
    if not kept:
        target.unlink()
    return {"kept": kept, **asdict(found), "size_mb": size}
