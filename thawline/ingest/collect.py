"""Collect the images of a source: pack what can be used, reject the rest, drop duplicates."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from thawline.dataset.image_store import StoreWriter
from thawline.errors import UserError
from thawline.ingest.dedup.label_conflicts import Conflict
from thawline.ingest.items import Reject
from thawline.ingest.labels.label_fixes import LabelFixes
from thawline.ingest.packing.image_table import PackedRows
from thawline.ingest.packing.packing import Packed
from thawline.ingest.splits.grouping import Grouping
from thawline.ingest.splits.predefined_splits import stronger
from thawline.runtime.escape import escape, storable


@dataclass
class Collected:
    """Result of a walk over a source; the images are in the store, in the same order."""

    packed: PackedRows = field(default_factory=PackedRows)
    rejects: list[Reject] = field(default_factory=list)
    num_duplicates: int = 0
    num_across_splits: int = 0
    """Duplicates of which the set gives one copy in one split and the other in another."""
    conflicts: list[Conflict] = field(default_factory=list)
    """Duplicates under two labels."""
    row_of: dict[str, int] = field(default_factory=dict)
    """Position in `packed` by the hash of the pixels, while the walk lasts."""

    @property
    def num_seen(self) -> int:
        return len(self.packed) + len(self.rejects)

    @property
    def num_bad(self) -> int:
        """Number of rejects that are not duplicates."""
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
    """Store each different image once, and list a repeated one with the rejects.

    Of copies in two predefined splits the one in test is kept, else the one in val.

    Raises:
        UserError: a label correction whose old label is wrong, or whose image does not exist; more
            unusable files than max_bad_ratio allows of num_items. This is raised as soon as it is
            certain: in a million files there could be hundreds of thousands of rejects by the end.
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
        found.packed.append(result)
    if fixes:
        fixes.check_all_met()
    found.row_of.clear()  # 100 bytes an image, of no more use
    return found


def _corrected(result: Packed, fixes: LabelFixes) -> Packed:
    label = fixes.label(storable(result.item_name), result.label)
    return result if label == result.label else replace(result, label=label)


def regroup(found: Collected, grouping: Grouping) -> int:
    """Assign groups to the rows without one; return the number of rows that still have none.

    Raises:
        UserError: no name matches.
    """
    found.packed.give_groups(grouping.groups(found.packed.names))
    return found.packed.groups.count(None)


def _settle_duplicate(found: Collected, result: Packed, classes: tuple[str, ...]) -> None:
    """Keep the copy in the stronger split; the pixels are the same and stored already."""
    row = found.row_of[result.sha256]
    twin = found.packed[row]
    found.num_duplicates += 1
    if twin.split and result.split and twin.split != result.split:
        found.num_across_splits += 1
    if stronger(result.split, twin.split):
        found.packed[row], result, twin = result, twin, result
    found.rejects.append(_duplicate(result, twin, classes, row))
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
        found: the result so far.
        max_bad_ratio: largest allowed share of unusable files, in [0, 1].
        num_items: number of items of the whole source, where there are more to come.

    Raises:
        UserError: with the three commonest reasons.
    """
    total = num_items or found.num_seen
    if found.num_bad <= max_bad_ratio * total:
        return
    bad = [r for r in found.rejects if not r.reason.startswith("duplicate of")]
    reasons = Counter(re.sub(r"^row \d+: ", "", reject.reason) for reject in bad)
    listed = "; ".join(f"{count} x {escape(reason)}" for reason, count in reasons.most_common(3))
    raise UserError(
        f"ingest.max_bad_ratio: {len(bad)} of {total} files ({len(bad) / total:.3f}) cannot be "
        f"used, {'and that may not be all; ' if num_items else ''}allowed: {max_bad_ratio:g}. "
        f"{listed}. First: {escape(bad[0].name)!r}: {escape(bad[0].reason)}"
    )


def _duplicate(result: Packed, twin: Packed, classes: tuple[str, ...], row: int) -> Reject:
    conflict = f" (there labelled {classes[twin.label]!r})" if twin.label != result.label else ""
    across = f" (there in {twin.split})" if twin.split and twin.split != result.split else ""
    reason = f"duplicate of {twin.item_name}{conflict}{across}"
    return Reject(name=result.item_name, reason=reason, label=result.source_label, twin_row=row)
