"""ingest: a source of labelled images -> packed images and a manifest."""

from pathlib import Path

from thawline import plugins, stage
from thawline.files import INGEST, REPORTS, staged, write_csv, write_metrics
from thawline.sections import Params
from thawline.tracking.client import StageRun


def main(params: Params, run: StageRun) -> None:
    from thawline.data import collect as walk
    from thawline.data.packing import Geometry, pack
    from thawline.data.store import StoreWriter
    from thawline.progress import log, track

    p = params.ingest
    run.require()
    source = plugins.load(plugins.SOURCE, p.source).read(Path(p.path), **p.options)
    geometry = Geometry(image_size_px=p.image_size_px, fit=p.fit, background=p.background)
    with staged(INGEST) as folder:
        with StoreWriter(folder, p.image_size_px) as writer:
            packed = track(
                pack(source.items, geometry, source.num_items), "packing", source.num_items
            )
            found = walk.collect(packed, writer, source.classes)
        walk.check_rejects(found, p.max_bad_ratio)
        manifest = walk.to_manifest(
            found,
            source.classes,
            seed=params.seed,
            val_ratio=p.val_ratio,
            test_ratio=p.test_ratio,
            imbalance_ratio=source.imbalance_ratio,
        )
        manifest.write(folder)
        write_csv(folder / "quarantine.csv", ("name", "reason"), walk.quarantine_rows(found))
    for gap in walk.gaps(manifest):
        log(f"ingest: {gap}")
    counts = walk.summary(found, manifest, source.num_ignored)
    write_metrics("ingest", counts)
    write_csv(
        REPORTS / "ingest" / "classes.csv",
        ("class", "split", "images"),
        walk.distribution(manifest),
    )
    run.metrics(counts)
    run.dataset(p.source, manifest.digest(), f"{p.source}:{Path(p.path).name}", counts, "training")
    run.artifact(INGEST / "quarantine.csv")


if __name__ == "__main__":
    stage.run("ingest", main)
