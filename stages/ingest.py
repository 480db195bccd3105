"""Stage ingest: pack a source of labelled images, and write their manifest."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from thawline.errors import UserError
from thawline.params import plugins
from thawline.params.schema.data import Ingest
from thawline.params.schema.whole import Params
from thawline.pipeline import stage_main
from thawline.runtime import dvc_view
from thawline.runtime.output_paths import (
    HOLDOUT,
    INGEST,
    LABEL_FIXES,
    REPORTS,
    staged,
    write_csv,
    write_metrics,
)
from thawline.tracking.client import StageRun

if TYPE_CHECKING:
    from thawline.dataset.manifest import Manifest
    from thawline.ingest.collect import Collected
    from thawline.ingest.decided import Decided
    from thawline.ingest.dedup.resolve import Resolved
    from thawline.ingest.items import Source
    from thawline.ingest.survey import Survey

_REPORT = REPORTS / "ingest"


class Shares(TypedDict):
    """Seed and shares, on which a split depends beside the images."""

    seed: int
    val_ratio: float
    test_ratio: float


class Packing(NamedTuple):
    """Packed images, and all that is known of them."""

    decided: "Decided"
    found: "Collected"
    resolved: "Resolved"
    manifest: "Manifest"
    notes: list[str]


def main(params: Params, run: StageRun) -> None:
    from thawline.ingest import deciding, findings, ingest_summary
    from thawline.ingest.decoding import blanks, unused_bits
    from thawline.ingest.labels import class_names
    from thawline.runtime.progress import log

    p = params.ingest
    run.require()
    source = _source(p)
    remarks = [
        *source.remarks,
        *dvc_view.unseen(Path(p.path)),
        *class_names.remarks(source.classes),
    ]
    for line in remarks:  # before anything is refused, of which they may be the cause
        log(f"ingest: {line}")
    num_listed = len(source.remarks)
    decided = _decided(p, source)
    with staged(INGEST) as folder:
        packing = _packing(params, decided, source, folder)
        decided = _sized(params, packing, folder)
        for sentence in deciding.sentences(decided):
            log(f"ingest: {sentence}")
        if decided.image_size_px == packing.decided.image_size_px:
            packing = packing._replace(decided=decided)
        else:
            shutil.rmtree(folder)
            packing = _packing(params, decided, _source(p), folder)
        decided, found, resolved, manifest, notes = packing
        walked = source.remarks[num_listed:]  # what only the walk of the items found out
        remarks += walked
        account = ingest_summary.account_for(found, source.passed_over, source.noun)
        for line in (*walked, *account.lines(), *notes):
            log(f"ingest: {line}")
        manifest.write(folder)
        decided.write(folder)
        quarantine = ingest_summary.quarantine_rows(found, resolved)
        write_csv(folder / "quarantine.csv", ("name", "reason"), quarantine)
    blank = blanks.find(found.packed)
    depth = unused_bits.sentence(found.packed.bits, decided.bit_depth)
    for line in ingest_summary.gaps(manifest, source.empty_classes, resolved, blank, depth):
        log(f"ingest: {line}")
    counts = ingest_summary.summary(found, manifest, account, resolved, blank)
    write_metrics("ingest", {**counts, **account.reasons()})
    write_csv(
        _REPORT / "classes.csv", ("class", "split", "images"), ingest_summary.distribution(manifest)
    )
    known = findings.Findings(
        looks=found.packed.looks,
        links=resolved.links if decided.near_duplicate_distance is not None else None,
        conflicts=resolved.conflicts,
        left_out=frozenset(resolved.left_out),
        quarantine=quarantine,
        notes=found.packed.notes,
        blanks=blank,
        num_transparent=found.packed.num_transparent,
        depth=depth,
        account=account,
        remarks=remarks,
    )
    known.write(_REPORT / findings.FOLDER)
    known.write_tables(_REPORT, manifest)
    run.metrics(counts)
    run.params({f"ingest.decided.{k}": one.value for k, one in decided.decisions.items()})
    run.dataset(p.source, manifest.digest(), f"{p.source}:{Path(p.path).name}", counts, "training")
    run.artifact(INGEST / "quarantine.csv")
    for name in ("conflicts.csv", "near_duplicates.csv"):
        run.artifact(_REPORT / name, "data")
    source.check_unchanged()


def _source(p: Ingest) -> "Source":
    from thawline.ingest.labels import labels

    source: Source = plugins.load(plugins.SOURCE, p.source).read(Path(p.path), **p.options)
    labels.check_number(source.classes)
    return source


def _ratios(params: Params) -> Shares:
    p = params.ingest
    return {"seed": params.seed, "val_ratio": p.val_ratio, "test_ratio": p.test_ratio}


def _decided(p: Ingest, source: "Source") -> "Decided":
    """Decide how to pack; the survey opens the source anew, whose items can be read only once."""
    from thawline.ingest.decided import WRITTEN
    from thawline.ingest.deciding import decide
    from thawline.ingest.survey import spread, survey
    from thawline.runtime.progress import track

    def look() -> "Survey":
        return survey(track(spread(_source(p)), "looking", source.num_items))

    return decide({key: getattr(p, key) for key in WRITTEN}, look, source.num_items or 0)


def _packing(params: Params, decided: "Decided", source: "Source", folder: Path) -> Packing:
    """Pack every image of a source as decided, and split the set."""
    from thawline.ingest import collect as walk
    from thawline.ingest.splits.divide import divide
    from thawline.ingest.splits.grouping import Grouping

    p, notes = params.ingest, list[str]()
    grouping = Grouping(p.group_by) if p.group_by else None
    found = _collect(p, decided, source, folder)
    if grouping and (alone := walk.regroup(found, grouping)):
        notes.append(f"ingest.group_by does not match {alone} images: each is its own group")
    notes += _hold_out(found)
    settled, resolved = _resolved(params, decided, found, folder)
    manifest = divide(
        found,
        source.classes,
        imbalance_ratio=source.imbalance_ratio,
        resolved=resolved,
        **_ratios(params),
    )
    return Packing(settled, found, resolved, manifest, notes)


def _sized(params: Params, packing: Packing, folder: Path) -> "Decided":
    """Choose a smaller side if it is as good, where the data decide."""
    decided = packing.decided
    if not decided.decisions["image_size_px"].auto:
        return decided

    from thawline.dataset.image_store import ImageStore
    from thawline.features import size_choice  # loads torch
    from thawline.ingest import deciding
    from thawline.ingest.image_size import sizes_up_to

    try:
        choice = size_choice.choose(
            ImageStore(folder),
            packing.manifest,
            sizes_up_to(decided.image_size_px),
            name=params.rebalance.feature_model,
            seed=params.seed,
        )
    except UserError as error:
        name = params.rebalance.feature_model
        why = f"not measured: rebalance.feature_model: {name!r} cannot be loaded: {error}"
        return deciding.with_size(decided, decided.image_size_px, why)
    if choice is None:
        why = f"not measured, which takes {size_choice.FEWEST_ROWS} training images and two sizes"
        return deciding.with_size(decided, decided.image_size_px, why)
    return deciding.with_size(decided, choice.size_px, str(choice))


def _resolved(
    params: Params, decided: "Decided", found: "Collected", folder: Path
) -> tuple["Decided", "Resolved"]:
    """Resolve conflicts and copies; no near copies where `auto` finds too many pairs."""
    from thawline.dataset.image_store import ImageStore
    from thawline.ingest.deciding import without_near
    from thawline.ingest.dedup import phash_index
    from thawline.ingest.dedup.resolve import resolve

    def settle(distance: int | None) -> "Resolved":
        return resolve(
            found.packed,
            found.conflicts,
            ImageStore(folder),
            conflicts=params.ingest.conflicts,
            near_distance=distance,
            **_ratios(params),
        )

    try:
        return decided, settle(decided.near_duplicate_distance)
    except phash_index.TooManyPairsError:
        if not decided.decisions["near_duplicate_distance"].auto:
            raise
    return without_near(decided, phash_index.MAX_PAIRS), settle(None)


def _hold_out(found: "Collected") -> list[str]:
    """Apply the list of a test set that was drawn anew, if there is one.

    Returns:
        Notes for a person.
    """
    from thawline.ingest.dedup.resolve import own_keys
    from thawline.ingest.splits import holdout

    packed = found.packed
    if not (listed := holdout.read(HOLDOUT)):
        return []
    packed.give_splits(holdout.splits(listed, own_keys(packed), packed.sha256, packed.splits))
    missing = len(listed - set(packed.sha256))
    said = f"{missing} of {len(listed)} images of {HOLDOUT} are not in the source"
    return [said] if missing else []


def _collect(p: Ingest, decided: "Decided", source: "Source", folder: Path) -> "Collected":
    """Decode and store every image of the source, or set it aside."""
    from thawline.dataset.image_store import StoreWriter
    from thawline.ingest import collect as walk
    from thawline.ingest.decoding.preprocess import Geometry
    from thawline.ingest.labels import label_fixes
    from thawline.ingest.packing.image_cache import PackCache
    from thawline.ingest.packing.packing import pack
    from thawline.runtime.progress import track

    fixes = label_fixes.read(LABEL_FIXES, source.classes)
    geometry = Geometry(
        image_size_px=decided.image_size_px,
        fit=decided.fit,
        background=decided.background,
        encoding=p.encoding,
        bit_depth=decided.bit_depth,
    )
    with StoreWriter(folder, geometry.image_size_px) as writer, PackCache(geometry) as cache:
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
    stage_main.run("ingest", main)
