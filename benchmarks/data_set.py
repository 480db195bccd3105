"""A data set for a benchmark, ingested as the stage does it, and fewer rows of it."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.dataset.rows import Rows
from thawline.ingest import collect as walk
from thawline.ingest.decided import KEYS
from thawline.ingest.deciding import decide
from thawline.ingest.decoding.preprocess import Geometry
from thawline.ingest.dedup.resolve import resolve
from thawline.ingest.packing.packing import pack
from thawline.ingest.splits.divide import divide
from thawline.ingest.survey import spread, survey
from thawline.params import plugins
from thawline.params.schema.whole import Params
from thawline.training.context import TrainingData


def packed(data: str, folder: Path, params: Params) -> TrainingData:
    """Ingested as the stage does, with the policy of params; every row once."""
    kind, _, path = data.partition(":")
    p = params.ingest
    options = {"imbalance_ratio": 1.0} if kind == "digits" else {}
    read = partial(plugins.load(plugins.SOURCE, kind).read, Path(path or "data/none"), **options)
    source = read()
    decided = decide(
        {key: getattr(p, key) for key in KEYS},
        lambda: survey(spread(read())),
        source.num_items or 0,
    )
    geometry = Geometry(
        image_size_px=decided.image_size_px, fit=decided.fit, background=decided.background
    )
    with StoreWriter(folder, geometry.image_size_px) as writer:
        found = walk.collect(pack(source.items, geometry, source.num_items), writer, source.classes)
    shares: dict[str, Any] = {
        "seed": params.seed, "val_ratio": p.val_ratio, "test_ratio": p.test_ratio
    }  # fmt: skip
    resolved = resolve(
        found.packed,
        found.conflicts,
        ImageStore(folder),
        conflicts=p.conflicts,
        near_distance=None,
        **shares,
    )
    manifest = divide(found, source.classes, imbalance_ratio=None, resolved=resolved, **shares)
    module = plugins.load(plugins.POLICY, params.augment.policy)
    return TrainingData(
        manifest=manifest,
        store=ImageStore(folder),
        rows=Rows.untouched(manifest.rows("train"), len(manifest.classes)),
        policy=module.policy(geometry.image_size_px, **params.augment.options),
        num_views=params.augment.views,
        extra_labels=np.empty(0, np.int64),
    )


def thinned(data: TrainingData, max_train: int, seed: int) -> TrainingData:
    """At most max_train training rows, drawn by the seed, and a quarter as many to validate on."""
    rng = np.random.default_rng(seed)
    splits = data.manifest.splits.copy()
    for split, most in (("train", max_train), ("val", max_train // 4)):
        splits[rng.permutation(data.manifest.rows(split))[most:]] = "unused"
    manifest = replace(data.manifest, splits=splits)
    rows = Rows.untouched(manifest.rows("train"), len(manifest.classes))
    return replace(data, manifest=manifest, rows=rows)
