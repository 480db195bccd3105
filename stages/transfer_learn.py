"""transfer_learn: pretrained network with a frozen trunk -> checkpoint with a trained head."""

from pathlib import Path
from typing import Any

from thawline import stage
from thawline.files import INGEST, REPORTS
from thawline.sections import Params
from thawline.tracking.client import StageRun


def main(params: Params, run: StageRun) -> None:
    from thawline import network as networks
    from thawline.checkpoint import ModelCard
    from thawline.data.manifest import Manifest
    from thawline.design import resolve_stem
    from thawline.evaluation import network_summary
    from thawline.pretrained import Loaded
    from thawline.progress import log
    from thawline.surgery.record import record_of
    from thawline.training.stage import train_stage

    run.require()
    manifest = Manifest.read(INGEST)
    m = params.model
    described = networks.describe(m.family, m.name)
    common: dict[str, Any] = {
        "num_classes": len(manifest.classes),
        "dropout": m.dropout,
        "seed": params.seed,
        "stem": resolve_stem(
            m.stem,
            family=m.family,
            weights=m.weights,
            image_size_px=params.ingest.image_size_px,
        ),
        "design": m.design,
    }

    def record(loaded: Loaded) -> None:
        log(str(loaded))
        run.tags(loaded.tags())

    if m.weights == "none":
        network = networks.build(m.family, m.name, **common)
    else:
        file = Path(m.weights_file) if m.weights == "file" else None
        network = networks.build_pretrained(
            m.family, m.name, weights_file=file, on_loaded=record, **common
        )
    run.tags(record_of(network).summary())
    size_px = params.ingest.image_size_px
    text = network_summary.markdown(m.name, size_px, network_summary.summarise(network, size_px))
    summary = REPORTS / "transfer_learn" / "network.md"
    summary.parent.mkdir(parents=True, exist_ok=True)
    summary.write_text(text, encoding="utf-8")
    run.artifact(summary)
    card = ModelCard(
        family=m.family,
        name=m.name,
        dropout=m.dropout,
        stem=common["stem"],
        design=m.design,
        classes=manifest.classes,
        image_size_px=params.ingest.image_size_px,
        fit=params.ingest.fit,
        background=params.ingest.background,
        mean=described.mean,
        std=described.std,
    )
    train_stage(
        "transfer_learn",
        network,
        card,
        params,
        params.transfer_learn,
        run,
        from_scratch=m.weights == "none",
    )


if __name__ == "__main__":
    stage.run("transfer_learn", main)
