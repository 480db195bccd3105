"""Gather the figures for `thawline advise`: measured, or read where they were recorded.

Nothing here has seen a test row, and no speed is guessed.
"""

from pathlib import Path
from typing import Any

import torch

from thawline.advice import provenance, recorded
from thawline.advice.facts import Cost, Facts
from thawline.cost.flops import num_macs, num_parameters
from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.features.layer_profile import Profile
from thawline.models import device, precision
from thawline.models import network as networks
from thawline.params import plugins
from thawline.params.schema.whole import Params
from thawline.runtime import safe_json
from thawline.runtime.output_paths import INGEST, REPORTS
from thawline.training import layer_probe


def gather(params: Params) -> Facts:
    """Measure and read all figures; the probes take most of the time.

    The data set must be packed. Figures of a training or of a measured speed count only where they
    were made with these params.
    """
    manifest, store = Manifest.read(INGEST), ImageStore(INGEST)
    device.setup(threads=params.training.threads, seed=params.seed)
    m = params.model
    speed = _speed() if provenance.holds(provenance.TO_EVALUATE) else {}
    tuned = REPORTS / "fine_tune" if provenance.holds(provenance.TO_FINE_TUNE) else None
    return Facts(
        params=params,
        counts=manifest.counts("train"),
        image_size_px=store.image_size_px,
        side_px=recorded.side_px(manifest),
        colour=recorded.colour(store, manifest.rows("train")),
        profile=None if m.weights == "none" else _profile(params, manifest, store),
        costs=_costs(params, len(manifest.classes), store.image_size_px),
        pretrained_px=networks.describe(m.family, m.name).image_size_px,
        val_accuracy=None if tuned is None else recorded.val_accuracy(tuned),
        latency_ms=speed.get("compress", {}).get("latency_ms"),
        timed_on=str(speed.get("device", {}).get("name", "")),
        gained=None if tuned is None else recorded.gained(tuned),
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
    return layer_probe.measure(
        network.to(where).eval(),
        described,
        store,
        manifest,
        split="train",
        seed=params.seed,
        device=where,
    )


def _costs(params: Params, num_classes: int, image_size_px: int) -> dict[str, Cost]:
    """Count the costs of the family's networks.

    Without weights: a network on PyTorch's device `meta` has shapes only.
    """
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
            macs=num_macs(network, image_size_px),
            size_mb=4e-6 * (count + sum(buffer.numel() for buffer in network.buffers())),
        )
    return found


def _speed() -> dict[str, Any]:
    """Read the speed of the last run; empty where there is none."""
    try:
        values = safe_json.loads((REPORTS / "evaluate" / "speed.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
