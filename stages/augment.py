"""Stage augment: build the policy for training images, draw it, make extra images."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thawline.params import plugins
from thawline.params.schema.whole import Params
from thawline.pipeline import stage_main
from thawline.runtime.output_paths import (
    INGEST,
    MINORITY,
    POLICY,
    REPORTS,
    ROWS,
    staged,
    write_json,
    write_metrics,
)
from thawline.tracking.client import StageRun

DECISION = REPORTS / "augment" / "decision.json"

if TYPE_CHECKING:
    from thawline.augment._preview import Part
    from thawline.dataset.image_store import ImageStore
    from thawline.dataset.manifest import Manifest


def main(params: Params, run: StageRun) -> None:
    from thawline.augment import _minority
    from thawline.augment._preview import preview, rare_classes
    from thawline.dataset.image_store import ImageStore
    from thawline.dataset.manifest import Manifest
    from thawline.dataset.rows import Rows
    from thawline.errors import UserError
    from thawline.ingest.decided import Decided

    p = params.augment
    module = plugins.load(plugins.POLICY, p.policy)
    wanted = plugins.input_names(plugins.POLICY, p.policy)
    inputs: dict[str, Any] = {"file": Path(p.file)} if "file" in wanted else {}
    decided = {"policy": p.policy, "reason": f"`policy: {p.policy}`, as params.yaml says"}
    if "mirror" in wanted:
        run.require()
        inputs["mirror"], decided["reason"] = _mirrors(params, run)
    policy = module.policy(Decided.read(INGEST).image_size_px, **inputs, **p.options)
    if p.minority and not policy:
        raise UserError(
            f"params.yaml: augment.minority: {p.minority:g} adds augmented images, but augment."
            f"policy: {p.policy} changes nothing; allowed: 0, or another policy"
        )
    run.require()
    write_json(POLICY, policy)
    write_json(DECISION, decided)
    picture = REPORTS / "augment" / "preview.png"
    # Through JSON, as training reads it: lists where the policy may have had pairs.
    stored = json.loads(POLICY.read_text(encoding="utf-8"))
    manifest, store = Manifest.read(INGEST), ImageStore(INGEST)
    extras = _minority.plan(Rows.read(ROWS).indices, manifest.labels, target_ratio=p.minority)
    with staged(MINORITY) as folder:
        extras.write(folder, store, stored, seed=params.seed)
    parts = [rare_classes(extras, manifest.labels, store, ImageStore(MINORITY))] if extras else []
    parts += _mixed(params, manifest, store, stored)
    change = preview(picture, manifest, store, stored, seed=params.seed, parts=parts)
    metrics = {"steps": len(policy), "mean_pixel_change": change, "extra_images": len(extras)}
    write_metrics("augment", metrics)
    run.metrics(metrics)
    run.artifact(POLICY)
    run.artifact(Path(picture))


def _mirrors(params: Params, run: StageRun) -> tuple[bool, str]:
    """Measure whether images may be mirrored, and say why; only a policy that asks loads torch."""
    import numpy as np

    from thawline.dataset.image_store import ImageStore
    from thawline.dataset.manifest import Manifest
    from thawline.dataset.rows import Rows
    from thawline.features import mirror_choice, pretrained_trunk
    from thawline.models import device
    from thawline.runtime.progress import log

    device.setup(threads=params.training.threads, seed=params.seed)
    features = pretrained_trunk.extractor(
        name=params.rebalance.feature_model, device=device.select(params.training.device)
    )
    rows = np.unique(Rows.read(ROWS).indices)
    found = mirror_choice.measure(
        features, ImageStore(INGEST), Manifest.read(INGEST), rows, seed=params.seed
    )
    verdict = "mirrored" if found.helps else "not mirrored"
    reason = f"light, {verdict}: {found}"
    log(f"augment: auto: {reason}")
    run.params({"augment.decided": reason})
    run.tags({"augment.decided": reason})
    return found.helps, reason


def _mixed(
    params: Params, manifest: "Manifest", store: "ImageStore", policy: list[dict[str, Any]]
) -> list["Part"]:
    sections = {"transfer_learn": params.transfer_learn, "fine_tune": params.fine_tune}
    on = {n: s for n, s in sections.items() if s.mixup_alpha or s.cutmix_alpha or s.random_erasing}
    if not on:
        return []
    from thawline.training import mixup_preview  # loads torch

    return [
        mixup_preview.part(
            name,
            manifest,
            store,
            policy,
            mixup_alpha=section.mixup_alpha,
            cutmix_alpha=section.cutmix_alpha,
            random_erasing=section.random_erasing,
            seed=params.seed,
        )
        for name, section in on.items()
    ]


if __name__ == "__main__":
    stage_main.run("augment", main)
