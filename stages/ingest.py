"""ingest: a source of labelled images -> packed images and a manifest."""

from pathlib import Path
from typing import TYPE_CHECKING

from thawline import plugins, stage
from thawline.files import HOLDOUT, INGEST, LABEL_FIXES, REPORTS, staged, write_csv, write_metrics
from thawline.sections.data import Ingest
from thawline.sections.whole import Params
from thawline.tracking.client import StageRun

if TYPE_CHECKING:
    from thawline.data.collect import Collected
    from thawline.data.items import Source

_REPORT = REPORTS / "ingest"


def main(params: Params, run: StageRun) -> None:
    from thawline.data import collect as walk
    from thawline.data import tally
    from thawline.data.divide import divide
    from thawline.data.grouping import Grouping
    from thawline.data.resolve import resolve
    from thawline.data.store import ImageStore
    from thawline.data_report import page as report
    from thawline.data_report.contents import Contents
    from thawline.progress import log

    p = params.ingest
    run.require()
    grouping = Grouping(p.group_by) if p.group_by else None
    source = plugins.load(plugins.SOURCE, p.source).read(Path(p.path), **p.options)
    ratios = {"val_ratio": p.val_ratio, "test_ratio": p.test_ratio}
    with staged(INGEST) as folder:
        found = _collect(p, source, folder)
        if grouping and (alone := walk.regroup(found, grouping)):
            log(f"ingest: ingest.group_by does not match {alone} images: each is its own group")
        _hold_out(found)
        resolved = resolve(
            found.packed,
            found.conflicts,
            ImageStore(folder),
            conflicts=p.conflicts,
            near_distance=p.near_duplicate_distance,
            seed=params.seed,
            **ratios,
        )
        manifest = divide(
            found,
            source.classes,
            imbalance_ratio=source.imbalance_ratio,
            resolved=resolved,
            seed=params.seed,
            **ratios,
        )
        manifest.write(folder)
        quarantine = tally.quarantine_rows(found, resolved)
        write_csv(folder / "quarantine.csv", ("name", "reason"), quarantine)
    for gap in tally.gaps(manifest, source.empty_classes, resolved):
        log(f"ingest: {gap}")
    counts = tally.summary(found, manifest, source.num_ignored, resolved)
    write_metrics("ingest", counts)
    write_csv(_REPORT / "classes.csv", ("class", "split", "images"), tally.distribution(manifest))
    contents = Contents(
        manifest=manifest,
        store=ImageStore(INGEST),
        looks=found.packed.looks,
        links=resolved.links if p.near_duplicate_distance is not None else None,
        conflicts=resolved.conflicts,
        left_out=frozenset(resolved.left_out),
        quarantine=quarantine,
        notes=found.packed.notes,
    )
    report.write(_REPORT, contents)
    run.metrics(counts)
    run.dataset(p.source, manifest.digest(), f"{p.source}:{Path(p.path).name}", counts, "training")
    run.artifact(INGEST / "quarantine.csv")
    for name in ("report.md", "pictures", "conflicts.csv", "near_duplicates.csv"):
        run.artifact(_REPORT / name, "data")


def _hold_out(found: "Collected") -> None:
    """Where the test set was drawn anew, it is what the list says."""
    from thawline.data import holdout
    from thawline.data.resolve import own_keys
    from thawline.progress import log

    packed = found.packed
    if not (listed := holdout.read(HOLDOUT)):
        return
    packed.give_splits(holdout.splits(listed, own_keys(packed), packed.sha256, packed.splits))
    if missing := len(listed - set(packed.sha256)):
        log(f"ingest: {missing} of {len(listed)} images of {HOLDOUT} are not in the source")


def _collect(p: Ingest, source: "Source", folder: Path) -> "Collected":
    """Every image of the source decoded and stored, or set aside."""
    from thawline.data import collect as walk
    from thawline.data import label_fixes
    from thawline.data.content import Geometry
    from thawline.data.pack_cache import PackCache
    from thawline.data.packing import pack
    from thawline.data.store import StoreWriter
    from thawline.progress import track

    fixes = label_fixes.read(LABEL_FIXES, source.classes)
    geometry = Geometry(
        image_size_px=p.image_size_px, fit=p.fit, background=p.background, encoding=p.encoding
    )
    with StoreWriter(folder, p.image_size_px) as writer, PackCache(geometry) as cache:
        found = walk.collect(
            track(
                pack(source.items, geometry, source.num_items, cache), "packing", source.num_items
            ),
            writer,
            source.classes,
            fixes,
            max_bad_ratio=p.max_bad_ratio,
            num_items=source.num_items,
        )
    walk.check_rejects(found, p.max_bad_ratio)
    return found


if __name__ == "__main__":
    stage.run("ingest", main)
