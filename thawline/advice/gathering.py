"""Figures for `thawline advise`: measured on the data set and the network, or read where recorded.

Nothing here has seen a test row, and no speed is guessed.
"""

import json
from pathlib import Path
from typing import Any

import torch

from thawline import network as networks
from thawline import plugins
from thawline.advice import recorded
from thawline.advice.facts import Cost, Facts
from thawline.advice.readiness import require_data_set
from thawline.data.manifest import Manifest
from thawline.data.store import ImageStore
from thawline.errors import UserError
from thawline.evaluation.complexity import num_macs, num_parameters
from thawline.files import INGEST, REPORTS
from thawline.sections.whole import Params
from thawline.training import depth, device, precision
from thawline.training.profile import Profile


def gather(params: Params) -> Facts:
    """Measure and read; the probes take most of the time.

    Raises:
        UserError: ingest has not run, or ran with another image size.
    """
    require_data_set()
    manifest, store = Manifest.read(INGEST), ImageStore(INGEST)
    if params.ingest.image_size_px not in ("auto", store.image_size_px):
        raise UserError(
            f"{INGEST}: holds images of {store.image_size_px} px, params.yaml says "
            f"{params.ingest.image_size_px} (ingest.image_size_px); run `dvc repro ingest`"
        )
    device.setup(threads=params.training.threads, seed=params.seed)
    m, speed = params.model, _speed()
    training = {stage: REPORTS / stage for stage in recorded.STAGES}
    return Facts(
        params=params,
        counts=manifest.counts("train"),
        image_size_px=store.image_size_px,
        side_px=recorded.side_px(manifest),
        colour=recorded.colour(store, manifest.rows("train")),
        profile=None if m.weights == "none" else _profile(params, manifest, store),
        costs=_costs(params, len(manifest.classes), store.image_size_px),
        pretrained_px=networks.describe(m.family, m.name).image_size_px,
        val_accuracy=recorded.val_accuracy(training),
        latency_ms=speed.get("compress", {}).get("latency_ms"),
        timed_on=str(speed.get("device", {}).get("name", "")),
        late_gain=recorded.late_gain(params, training),
        gained=recorded.gained(training),
        num_test=len(manifest.rows("test")),
        quick_bfloat16=precision.has_quick_bfloat16(device.select(params.training.device)),
    )


def _profile(params: Params, manifest: Manifest, store: ImageStore) -> Profile:
    m = params.model
    where = device.select(params.training.device)
    network = networks.build_pretrained(
        m.family,
        m.name,
        num_classes=len(manifest.classes),
        dropout=m.dropout,
        seed=params.seed,
        weights_file=Path(m.weights_file) if m.weights == "file" else None,
    )
    described = networks.describe(m.family, m.name)
    return depth.measure(
        network.to(where).eval(),
        described,
        store,
        manifest,
        split="train",
        seed=params.seed,
        device=where,
    )


def _costs(params: Params, num_classes: int, size_px: int) -> dict[str, Cost]:
    """Without weights: a network on PyTorch's device `meta` has shapes only."""
    m = params.model
    names = plugins.constant(plugins.FAMILY, m.family, "NAMES") or (m.name,)
    found = {}
    for name in names:
        with torch.device("meta"):
            network = networks.build(
                m.family, name, num_classes=num_classes, dropout=m.dropout, seed=0
            )
        count = num_parameters(network)
        found[name] = Cost(
            parameters=count,
            macs=num_macs(network, size_px),
            size_mb=4e-6 * (count + sum(buffer.numel() for buffer in network.buffers())),
        )
    return found


def _speed() -> dict[str, Any]:
    """Of the last run; empty where there is none."""
    try:
        values = json.loads((REPORTS / "evaluate" / "speed.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
