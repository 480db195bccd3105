"""What advice is based on: the data set that ingest packed, the network, what was recorded.

Nothing here has seen a test row, and no speed is guessed: it is read where it was measured.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from thawline import network as networks
from thawline import plugins
from thawline.advice.readiness import require_data_set
from thawline.data.manifest import Manifest
from thawline.data.store import ImageStore
from thawline.errors import UserError
from thawline.evaluation.complexity import num_macs, num_parameters
from thawline.files import INGEST, REPORTS
from thawline.sections import Params
from thawline.training import depth, device
from thawline.training.profile import Profile

_COLOUR_SAMPLE = 200
_COLOUR_DIFFERENCE = 4
"""Of 255, between the channels of a pixel: what JPEG leaves in a grey photograph is less."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a network costs by counting, at the image size of params; 1 MB is 1,000,000 bytes."""

    parameters: int
    macs: int
    size_mb: float


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was measured.

    Attributes:
        counts: training rows per class, int64 (num_classes,).
        side_px: median of the shorter sides of the training images as they came.
        colour: whether any of a sample of training images is not grey.
        profile: of the network with its pretrained weights; None with random ones.
        costs: of the networks of the chosen family, by name; the chosen one always.
        pretrained_px: image side that the weights expect.
        val_accuracy: of the last fine_tune, on validation rows; None where it has not run.
        latency_ms: of the last final model, measured; None where it was not.
        timed_on: the device of that measurement.
    """

    params: Params
    counts: np.ndarray
    side_px: int
    colour: bool
    profile: Profile | None
    costs: Mapping[str, Cost]
    pretrained_px: int
    val_accuracy: float | None
    latency_ms: float | None
    timed_on: str

    @property
    def imbalance(self) -> float:
        """The commonest class over the rarest that has any rows."""
        return float(self.counts.max() / self.counts[self.counts > 0].min())

    @property
    def cost(self) -> Cost:
        return self.costs[self.params.model.name]


def gather(params: Params) -> Facts:
    """Measure and read; the probes take most of the time.

    Raises:
        UserError: ingest has not run, or ran with another image size.
    """
    require_data_set()
    manifest, store = Manifest.read(INGEST), ImageStore(INGEST)
    if store.image_size_px != params.ingest.image_size_px:
        raise UserError(
            f"{INGEST}: holds images of {store.image_size_px} px, params.yaml says "
            f"{params.ingest.image_size_px} (ingest.image_size_px); run `dvc repro ingest`"
        )
    device.setup(threads=params.training.threads, seed=params.seed)
    train, m = manifest.rows("train"), params.model
    sides = np.minimum(manifest.widths[train], manifest.heights[train])
    speed = _recorded("evaluate", "speed.json")
    return Facts(
        params=params,
        counts=manifest.counts("train"),
        side_px=int(np.median(sides)),
        colour=_colour(store, train),
        profile=None if m.weights == "none" else _profile(params, manifest, store),
        costs=_costs(params, len(manifest.classes)),
        pretrained_px=networks.describe(m.family, m.name).image_size_px,
        val_accuracy=_recorded("fine_tune", "metrics.json").get("val_accuracy"),
        latency_ms=speed.get("compress", {}).get("latency_ms"),
        timed_on=str(speed.get("device", {}).get("name", "")),
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


def _costs(params: Params, num_classes: int) -> dict[str, Cost]:
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
            macs=num_macs(network, params.ingest.image_size_px),
            size_mb=4e-6 * (count + sum(buffer.numel() for buffer in network.buffers())),
        )
    return found


def _colour(store: ImageStore, rows: np.ndarray) -> bool:
    at = rows[np.linspace(0, len(rows) - 1, min(len(rows), _COLOUR_SAMPLE)).astype(np.int64)]
    images = store.take(np.unique(at)).astype(np.int16)
    return bool((np.ptp(images, axis=3).mean(axis=(1, 2)) > _COLOUR_DIFFERENCE).any())


def _recorded(stage: str, name: str) -> dict[str, Any]:
    """A metrics file of the last run; empty where there is none."""
    try:
        values = json.loads((REPORTS / stage / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
