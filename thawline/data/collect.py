"""Walk a source: pack what can be used, set aside what cannot, drop what is there already."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from thawline.data.given import Given, stronger
from thawline.data.items import Reject, shown
from thawline.data.manifest import Manifest
from thawline.data.packing import Packed
from thawline.data.splits import SPLITS, assign, positions, thin_out
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
    row_of: dict[str, int] = field(default_factory=dict)
    """Position in `packed` by the hash of the pixels."""

    @property
    def num_seen(self) -> int:
        return len(self.packed) + len(self.rejects)


def collect(
    results: Iterable[Packed | Reject], writer: StoreWriter, classes: tuple[str, ...]
) -> Collected:
    """Store each different image once; a repeated one is listed with the rejects.

    Of copies in two given splits the one in test, else in val, is kept.
    """
    found = Collected()
    for result in results:
        if isinstance(result, Reject):
            found.rejects.append(result)
            continue
        if result.sha256 in found.row_of:
            _settle_duplicate(found, result, classes)
            continue
        writer.append(result.pixels)
        found.row_of[result.sha256] = len(found.packed)
        found.packed.append(_without_pixels(result))
    return found


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


def check_rejects(found: Collected, max_bad_ratio: float) -> None:
    """Stop when too much of the source is unusable; duplicates do not count.

    Raises:
        UserError: with the three commonest reasons.
    """
    bad = [r for r in found.rejects if not r.reason.startswith("duplicate of")]
    ratio = len(bad) / max(1, found.num_seen)
    if ratio > max_bad_ratio:
        reasons: dict[str, int] = {}
        for reject in bad:
            reasons[reject.reason] = reasons.get(reject.reason, 0) + 1
        commonest = sorted(reasons.items(), key=lambda pair: -pair[1])[:3]
        listed = "; ".join(f"{count} x {reason}" for reason, count in commonest)
        raise UserError(
            f"ingest.max_bad_ratio: {len(bad)} of {found.num_seen} files ({ratio:.3f}) cannot be "
            "used, "
            f"allowed: {max_bad_ratio:g}. {listed}. First: {shown(bad[0].name)!r}"
        )


def to_manifest(
    found: Collected,
    classes: tuple[str, ...],
    *,
    seed: int,
    val_ratio: float,
    test_ratio: float,
    imbalance_ratio: float | None,
) -> Manifest:
    """Split the rows and, where a source wants it, thin out the training rows.

    Raises:
        UserError: a class with fewer different images than there are splits, or without a
            training image; a group in two given splits.
    """
    labels = np.array([p.label for p in found.packed], dtype=np.int64)
    keys = [p.group if p.group is not None else p.sha256 for p in found.packed]
    ratios = {"val_ratio": val_ratio, "test_ratio": test_ratio}
    given = Given.of(keys, [p.split for p in found.packed])
    splits = assign(keys, labels, classes, seed=seed, given=given, **ratios)
    if imbalance_ratio:
        place = positions([p.sha256 for p in found.packed], seed)
        splits = thin_out(labels, splits, place, num_classes=len(classes), ratio=imbalance_ratio)
    return Manifest(
        classes=classes,
        labels=labels,
        splits=splits,
        sha256=tuple(p.sha256 for p in found.packed),
        names=tuple(p.item_name.encode("utf-8", "backslashreplace").decode() for p in found.packed),
        groups=tuple(p.group for p in found.packed),
        widths=np.array([p.width for p in found.packed]),
        heights=np.array([p.height for p in found.packed]),
    )


def summary(found: Collected, manifest: Manifest, num_ignored: int) -> dict[str, float]:
    """Counts for the metrics file."""
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
    return counts


def gaps(manifest: Manifest) -> list[str]:
    """One line for each held-out split in which a class has no image, as some given ones do."""
    lines = []
    for split in ("val", "test"):
        absent = np.flatnonzero(manifest.counts(split) == 0)
        if len(absent):
            named = ", ".join(repr(shown(manifest.classes[k], 40)) for k in absent[:5])
            more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
            lines.append(f"no {split} image of class {named}{more}: its scores there say nothing")
    return lines


def _duplicate(result: Packed, twin: Packed, classes: tuple[str, ...]) -> Reject:
    conflict = f" (there labelled {classes[twin.label]!r})" if twin.label != result.label else ""
    across = f" (there in {twin.split})" if twin.split and twin.split != result.split else ""
    return Reject(name=result.item_name, reason=f"duplicate of {twin.item_name}{conflict}{across}")


def _without_pixels(result: Packed) -> Packed:
    return replace(result, pixels=_NO_PIXELS)


def quarantine_rows(found: Collected) -> list[tuple[str, str]]:
    """Names and reasons, each one printable line."""
    return [(shown(r.name, 400), shown(r.reason, 400)) for r in found.rejects]


def distribution(manifest: Manifest) -> list[tuple[str, str, int]]:
    """Class, split and number of images, for the plot."""
    return [
        (name, split, int(count))
        for split in SPLITS
        for name, count in zip(manifest.classes, manifest.counts(split), strict=True)
    ]
