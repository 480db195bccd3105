"""ingest: a source of labelled images -> packed images and a manifest."""

from pathlib import Path

from thawline import plugins, stage
from thawline.files import INGEST, LABEL_FIXES, REPORTS, staged, write_csv, write_metrics
from thawline.sections import Params
from thawline.tracking.client import StageRun


def main(params: Params, run: StageRun) -> None:
    from thawline.data import collect as walk
    from thawline.data import label_fixes
    from thawline.data.content import Geometry
    from thawline.data.grouping import Grouping
    from thawline.data.pack_cache import PackCache
    from thawline.data.packing import pack
    from thawline.data.resolve import resolve
    from thawline.data.store import ImageStore, StoreWriter
    from thawline.data_report import page as report
    from thawline.progress import log, track

    p = params.ingest
    run.require()
    grouping = Grouping(p.group_by) if p.group_by else None
    source = plugins.load(plugins.SOURCE, p.source).read(Path(p.path), **p.options)
    fixes = label_fixes.read(LABEL_FIXES, source.classes)
    geometry = Geometry(
        image_size_px=p.image_size_px, fit=p.fit, background=p.background, encoding=p.encoding
    )
    ratios = {"val_ratio": p.val_ratio, "test_ratio": p.test_ratio}
    with staged(INGEST) as folder:
        with StoreWriter(folder, p.image_size_px) as writer, PackCache(geometry) as cache:
            packed = track(
                pack(source.items, geometry, source.num_items, cache), "packing", source.num_items
            )
            found = walk.collect(
                packed,
                writer,
                source.classes,
                fixes,
                max_bad_ratio=p.max_bad_ratio,
                num_items=source.num_items,
            )
        walk.check_rejects(found, p.max_bad_ratio)
        if grouping and (alone := walk.regroup(found, grouping)):
            log(f"ingest: ingest.group_by does not match {alone} images: each is its own group")
        resolved = resolve(
            found.packed,
            found.conflicts,
            conflicts=p.conflicts,
            near_distance=p.near_duplicate_distance,
            seed=params.seed,
            **ratios,
        )
        manifest = walk.to_manifest(
            found,
            source.classes,
            seed=params.seed,
            imbalance_ratio=source.imbalance_ratio,
            resolved=resolved,
            **ratios,
        )
        manifest.write(folder)
        quarantine = walk.quarantine_rows(found, resolved)
        write_csv(folder / "quarantine.csv", ("name", "reason"), quarantine)
    for gap in walk.gaps(manifest, source.empty_classes):
        log(f"ingest: {gap}")
    if resolved.left_out:
        log(
            f"ingest: {len(resolved.left_out)} images are left out, being copies under two labels "
            "or in two splits; see data/ingest/quarantine.csv"
        )
    counts = walk.summary(found, manifest, source.num_ignored, resolved)
    write_metrics("ingest", counts)
    write_csv(
        REPORTS / "ingest" / "classes.csv",
        ("class", "split", "images"),
        walk.distribution(manifest),
    )
    report.write(
        REPORTS / "ingest",
        report.Contents(
            manifest=manifest,
            store=ImageStore(INGEST),
            looks=[image.looks for image in found.packed],
            links=resolved.links if p.near_duplicate_distance is not None else None,
            conflicts=resolved.conflicts,
            left_out=frozenset(resolved.left_out),
            quarantine=quarantine,
            notes=[image.note for image in found.packed],
        ),
    )
    run.metrics(counts)
    run.dataset(p.source, manifest.digest(), f"{p.source}:{Path(p.path).name}", counts, "training")
    run.artifact(INGEST / "quarantine.csv")
    for name in ("report.md", "pictures", "conflicts.csv", "near_duplicates.csv"):
        run.artifact(REPORTS / "ingest" / name, "data")


if __name__ == "__main__":
    stage.run("ingest", main)
