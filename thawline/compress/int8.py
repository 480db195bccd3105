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
_FLOAT_SHARES = (0.0, 0.25)
"""Of the convolutions, the first ones, that stay in float32: the second where the first loses too
much. Of 140 validation images of emoji at 160 px EfficientNet-Lite0 with a head on five blocks
named the same class for 91 and 99 %; with the last quarter, half or three quarters of them in
float32 for 91, 93 and 94 %."""


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
    tries: list[dict[str, Any]] = []
    for share in _FLOAT_SHARES:
        calibration = store.batches(chosen, _BATCH)
        try:
            floats = quantize(source, target, calibration, method=method, float_share=share)
        except UserError as error:
            log(f"warning: {error}")
            break
        if tries and floats == tries[-1]["float_convolutions"]:
            target.unlink()
            break
        found = compare(
            target, source, store.batches(val, _BATCH), manifest.labels[val], threads=threads
        )
        kept = found.drop <= max_drop
        tries.append(
            {
                "kept": kept,
                "float_convolutions": floats,
                **asdict(found),
                "size_mb": size_mb(target),
            }
        )
        if kept:
            break
        target.unlink()
    return min(tries, key=lambda one: float(one["drop"]), default={"kept": False})
