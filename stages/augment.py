"""augment: images -> the policy for training images, and a picture of what it does."""

import json
from pathlib import Path

from thawline import plugins, stage
from thawline.files import INGEST, POLICY, REPORTS, write_json, write_metrics
from thawline.sections import Params
from thawline.tracking.client import StageRun


def main(params: Params, run: StageRun) -> None:
    from thawline.data.manifest import Manifest
    from thawline.data.preview import preview
    from thawline.data.store import ImageStore

    p = params.augment
    module = plugins.load(plugins.POLICY, p.policy)
    reads_file = "file" in plugins.input_names(plugins.POLICY, p.policy)
    inputs = {"file": Path(p.file)} if reads_file else {}
    policy = module.policy(params.ingest.image_size_px, **inputs, **p.options)
    run.require()
    write_json(POLICY, policy)
    picture = REPORTS / "augment" / "preview.png"
    # Through JSON, as training reads it: lists where the policy may have had pairs.
    stored = json.loads(POLICY.read_text(encoding="utf-8"))
    change = preview(picture, Manifest.read(INGEST), ImageStore(INGEST), stored, seed=params.seed)
    metrics = {"steps": len(policy), "mean_pixel_change": change}
    write_metrics("augment", metrics)
    run.metrics(metrics)
    run.artifact(POLICY)
    run.artifact(Path(picture))


if __name__ == "__main__":
    stage.run("augment", main)
