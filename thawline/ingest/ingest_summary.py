"""Summarise what ingest found: counts, remarks, rejects."""

from collections.abc import Mapping, Sequence

import numpy as np

from thawline.dataset.manifest import Manifest
from thawline.ingest.accounting import Account, by_kind
from thawline.ingest.collect import Collected
from thawline.ingest.decoding import blanks
from thawline.ingest.decoding.blanks import Blanks
from thawline.ingest.dedup.resolve import Resolved
from thawline.ingest.splits.split import SPLITS
from thawline.runtime.escape import escape, visible


def summary(
    found: Collected,
    manifest: Manifest,
    account: Account,
    resolved: Resolved | None = None,
    blank: Blanks | None = None,
) -> dict[str, float]:
    """Compute counts for the metrics file; those of rare events only where they occur."""
    train = manifest.counts("train")
    counts: dict[str, float] = {
        "images": len(manifest),
        "classes": len(manifest.classes),
        "train": int(train.sum()),
        "val": int(manifest.counts("val").sum()),
        "test": int(manifest.counts("test").sum()),
        "unused": len(manifest.rows("unused")),
        "imbalance_ratio": float(train.max() / max(1, train.min())),
        "quarantined": len(found.rejects) - found.num_duplicates,
        "duplicates": found.num_duplicates,
        "ignored_files": sum(account.passed_over.values()),
        **account.metrics(),
    }
    if any(found.packed.splits):
        counts["duplicates_across_splits"] = found.num_across_splits
    corrected = int((found.packed.labels != found.packed.source_labels).sum())
    blank = blank or {}
    rare = {
        "transparent": found.packed.num_transparent,
        "sixteen_bits": int((found.packed.bits > 0).sum()),
        "one_colour": sum(map(len, blank.values())),
        "lost_in_background": len(blank.get(blanks.LOST_KIND, ())),
        "corrected_labels": corrected,
        "conflicts": len(resolved.conflicts) if resolved else 0,
        "left_out": len(resolved.left_out) if resolved else 0,
        "near_duplicates": len(resolved.links) if resolved else 0,
    }
    return counts | {name: count for name, count in rare.items() if count}


def account_for(found: Collected, passed_over: Mapping[str, int], noun: str = "files") -> Account:
    """Account for the files of a walk and those that its source passed over."""
    bad = [r.reason for r in found.rejects if not r.reason.startswith("duplicate of")]
    return Account(
        images=len(found.packed),
        copies=found.num_duplicates,
        set_aside=by_kind(bad),
        passed_over=passed_over,
        noun=noun,
    )


def gaps(
    manifest: Manifest,
    empty_classes: Sequence[str] = (),
    resolved: Resolved | None = None,
    blank: Blanks | None = None,
    depth: str | None = None,
) -> list[str]:
    """List remarks for the user, one line each.

    One for each held-out split in which a class has no image, as some predefined ones do, one for
    classes without an image, for images that no split gets, for blank pictures, and the sentence of
    `unused_bits`.
    """
    lines = [depth] if depth else []
    if said := blanks.sentence(blank or {}):
        lines.append(said)
    if resolved and resolved.left_out:
        lines.append(
            f"{len(resolved.left_out)} images are left out, being copies under two labels or in "
            "two splits; see data/ingest/quarantine.csv"
        )
    if empty_classes:
        lines.append(f"no image in {_some(empty_classes)}: not a class")
    for split in ("val", "test"):
        absent = np.flatnonzero(manifest.counts(split) == 0)
        if len(absent):
            named = _some([manifest.classes[k] for k in absent])
            lines.append(f"no {split} image of class {named}: it cannot be scored there")
    return lines


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(escape(name, 40)) for name in names[:5]) + more


def quarantine_rows(found: Collected, resolved: Resolved | None = None) -> list[tuple[str, str]]:
    """List names and reasons for quarantine.csv, each printable in one line."""
    left_out = resolved.left_out if resolved else {}
    rows = [(r.name, r.reason) for r in found.rejects]
    rows += [(found.packed.names[row], reason) for row, reason in left_out.items()]
    return [(escape(name, 400), escape(reason, 400)) for name, reason in rows]


def distribution(manifest: Manifest) -> list[tuple[str, str, int]]:
    """List class, split and number of images for the plot; control characters escaped."""
    return [
        (visible(name), split, int(count))
        for split in SPLITS
        for name, count in zip(manifest.classes, manifest.counts(split), strict=True)
    ]
