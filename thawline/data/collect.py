"""Walk a source: pack what can be used, set aside what cannot, drop what is there already."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from thawline.data.conflicts import Conflict
from thawline.data.given import Given, stronger
from thawline.data.grouping import Grouping
from thawline.data.items import Reject, shown
from thawline.data.label_fixes import LabelFixes
from thawline.data.manifest import Manifest
from thawline.data.packing import Packed
from thawline.data.resolve import Resolved, own_keys
from thawline.data.splits import SPLITS, UNUSED, assign, positions, thin_out
from thawline.data.store import StoreWriter
from thawline.errors import UserError

_NO_PIXELS = np.empty((0,), dtype=np.uint8)


@dataclass
class Collected:
    """What a walk found; the images are in the store, in the same order."""

    packed: list[Packed] = field(default_factory=list)
    """Without pixels."""
    rejects: list[Reject] = field(default_factory=list)
    num_duplicates: int = 0
    num_across_splits: int = 0
    """Duplicates of which the set gives one copy in one split and the other in another."""
    conflicts: list[Conflict] = field(default_factory=list)
    """Duplicates under two labels."""
    row_of: dict[str, int] = field(default_factory=dict)
    """Position in `packed` by the hash of the pixels."""

    @property
    def num_seen(self) -> int:
        return len(self.packed) + len(self.rejects)

    @property
    def num_bad(self) -> int:
        """Rejects that are no duplicates."""
        return len(self.rejects) - self.num_duplicates


def collect(
    results: Iterable[Packed | Reject],
    writer: StoreWriter,
    classes: tuple[str, ...],
    fixes: LabelFixes | None = None,
    *,
    max_bad_ratio: float = 1.0,
    num_items: int | None = None,
) -> Collected:
    """Store each different image once; a repeated one is listed with the rejects.

    Of copies in two given splits the one in test, else in val, is kept.

    Raises:
        UserError: a correction of a label that was another one, or of an image that is not there;
            more unusable files than max_bad_ratio allows of num_items, at once: of a million it
            would list hundreds of thousands before it says so.
    """
    found = Collected()
    for result in results:
        if isinstance(result, Reject):
            found.rejects.append(result)
            if num_items and found.num_bad > max_bad_ratio * num_items:
                check_rejects(found, max_bad_ratio, num_items)
            continue
        if fixes:
            result = _corrected(result, fixes)
        if result.sha256 in found.row_of:
            _settle_duplicate(found, result, classes)
            continue
        writer.append(result.pixels)
        found.row_of[result.sha256] = len(found.packed)
        found.packed.append(_without_pixels(result))
    if fixes:
        fixes.check_all_met()
    return found


def _corrected(result: Packed, fixes: LabelFixes) -> Packed:
    label = fixes.label(_stored(result.item_name), result.label)
    return result if label == result.label else replace(result, label=label)


def regroup(found: Collected, grouping: Grouping) -> int:
    """Give a group to each row that the source gave none; return how many still have none.

    Raises:
        UserError: no name matches.
    """
    groups = grouping.groups([p.item_name for p in found.packed])
    found.packed = [
        p if p.group is not None else replace(p, group=group)
        for p, group in zip(found.packed, groups, strict=True)
    ]
    return sum(p.group is None for p in found.packed)


def _settle_duplicate(found: Collected, result: Packed, classes: tuple[str, ...]) -> None:
    """Keep the copy in the stronger split; the pixels are the same and stored already."""
    row = found.row_of[result.sha256]
    twin = found.packed[row]
    found.num_duplicates += 1
    if twin.split and result.split and twin.split != result.split:
        found.num_across_splits += 1
    if stronger(result.split, twin.split):
        found.packed[row], result, twin = _without_pixels(result), twin, result
    found.rejects.append(_duplicate(result, twin, classes))
    if twin.label != result.label:
        found.conflicts.append(
            Conflict(
                row=row,
                image=twin.item_name,
                label=twin.label,
                other_row=None,
                other_image=result.item_name,
                other_label=result.label,
            )
        )


def check_rejects(found: Collected, max_bad_ratio: float, num_items: int | None = None) -> None:
    """Stop when too much of the source is unusable; duplicates do not count.

    Args:
        num_items: of the whole source, where there is more to come.

    Raises:
        UserError: with the three commonest reasons.
    """
    total = num_items or found.num_seen
    if found.num_bad <= max_bad_ratio * total:
        return
    bad = [r for r in found.rejects if not r.reason.startswith("duplicate of")]
    reasons = Counter(re.sub(r"^row \d+: ", "", reject.reason) for reject in bad)
    listed = "; ".join(f"{count} x {shown(reason)}" for reason, count in reasons.most_common(3))
    raise UserError(
        f"ingest.max_bad_ratio: {len(bad)} of {total} files ({len(bad) / total:.3f}) cannot be "
        f"used, {'and that may not be all; ' if num_items else ''}allowed: {max_bad_ratio:g}. "
        f"{listed}. First: {shown(bad[0].name)!r}: {shown(bad[0].reason)}"
    )


def to_manifest(
    found: Collected,
    classes: tuple[str, ...],
    *,
    seed: int,
    val_ratio: float,
    test_ratio: float,
    imbalance_ratio: float | None,
    resolved: Resolved | None = None,
) -> Manifest:
    """Split the rows and, where a source wants it, thin out the training rows.

    The splits are those of the source's labels: correcting one moves no row.

    Raises:
        UserError: a class with fewer different images than there are splits, or without a
            training image; a group in two given splits.
    """
    resolved = resolved or Resolved(keys=own_keys(found.packed))
    before = np.array([p.source_label for p in found.packed], dtype=np.int64)
    kept = np.array([r for r in range(len(before)) if r not in resolved.left_out], dtype=np.int64)
    keys = [resolved.keys[row] for row in kept.tolist()]
    ratios = {"val_ratio": val_ratio, "test_ratio": test_ratio}
    given = Given.of(keys, [found.packed[row].split for row in kept.tolist()])
    splits = np.full(len(before), UNUSED)
    splits[kept] = assign(keys, before[kept], classes, seed=seed, given=given, **ratios)
    if imbalance_ratio:
        place = positions([p.sha256 for p in found.packed], seed)
        splits = thin_out(before, splits, place, num_classes=len(classes), ratio=imbalance_ratio)
    manifest = _manifest(found, classes, splits)
    _check_trainable(manifest)
    return manifest


def _manifest(found: Collected, classes: tuple[str, ...], splits: np.ndarray) -> Manifest:
    return Manifest(
        classes=classes,
        labels=np.array([p.label for p in found.packed], dtype=np.int64),
        splits=splits,
        sha256=tuple(p.sha256 for p in found.packed),
        names=tuple(_stored(p.item_name) for p in found.packed),
        groups=tuple(p.group for p in found.packed),
        widths=np.array([p.width for p in found.packed]),
        heights=np.array([p.height for p in found.packed]),
    )


def _check_trainable(manifest: Manifest) -> None:
    """Corrected labels may have taken a class its last training image."""
    absent = np.flatnonzero(manifest.counts("train") == 0)
    if len(absent):
        raise UserError(
            f"data/label_fixes.csv: class {shown(manifest.classes[absent[0]])!r} has no training "
            "image left; at least 1 is needed"
        )


def _stored(name: str) -> str:
    """A name that is not UTF-8 can be opened, but not stored."""
    return name.encode("utf-8", "backslashreplace").decode()


def summary(
    found: Collected, manifest: Manifest, num_ignored: int, resolved: Resolved | None = None
) -> dict[str, float]:
    """Counts for the metrics file; those of rare events only where there are any."""
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
        "ignored_files": num_ignored,
    }
    if any(p.split for p in found.packed):
        counts["duplicates_across_splits"] = found.num_across_splits
    corrected = sum(p.label != p.source_label for p in found.packed)
    rare = {
        "corrected_labels": corrected,
        "conflicts": len(resolved.conflicts) if resolved else 0,
        "left_out": len(resolved.left_out) if resolved else 0,
        "near_duplicates": len(resolved.links) if resolved else 0,
    }
    return counts | {name: count for name, count in rare.items() if count}


def gaps(manifest: Manifest, empty_classes: Sequence[str] = ()) -> list[str]:
    """One line for each held-out split in which a class has no image, as some given ones do.

    One more for folders that would be classes if there were an image in them.
    """
    lines = []
    if empty_classes:
        lines.append(f"no image in {_some(empty_classes)}: not a class")
    for split in ("val", "test"):
        absent = np.flatnonzero(manifest.counts(split) == 0)
        if len(absent):
            named = _some([manifest.classes[k] for k in absent])
            lines.append(f"no {split} image of class {named}: its scores there say nothing")
    return lines


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(shown(name, 40)) for name in names[:5]) + more


def _duplicate(result: Packed, twin: Packed, classes: tuple[str, ...]) -> Reject:
    conflict = f" (there labelled {classes[twin.label]!r})" if twin.label != result.label else ""
    across = f" (there in {twin.split})" if twin.split and twin.split != result.split else ""
    return Reject(name=result.item_name, reason=f"duplicate of {twin.item_name}{conflict}{across}")


def _without_pixels(result: Packed) -> Packed:
    return replace(result, pixels=_NO_PIXELS)


def quarantine_rows(found: Collected, resolved: Resolved | None = None) -> list[tuple[str, str]]:
    """Names and reasons, each one printable line."""
    left_out = resolved.left_out if resolved else {}
    rows = [(r.name, r.reason) for r in found.rejects]
    rows += [(found.packed[row].item_name, reason) for row, reason in left_out.items()]
    return [(shown(name, 400), shown(reason, 400)) for name, reason in rows]


def distribution(manifest: Manifest) -> list[tuple[str, str, int]]:
    """Class, split and number of images, for the plot."""
    return [
        (name, split, int(count))
        for split in SPLITS
        for name, count in zip(manifest.classes, manifest.counts(split), strict=True)
    ]
