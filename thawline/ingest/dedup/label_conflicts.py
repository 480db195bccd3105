"""Handle pictures that occur under two labels: one is wrong, and no program knows which."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from thawline.errors import UserError
from thawline.ingest.dedup.linking import NearCopy
from thawline.runtime.escape import escape

HEADER = ("image", "label", "other_image", "other_label", "bits", "outcome")


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """Two copies of a picture and their labels.

    Attributes:
        row: row of the first copy, which is packed.
        other_row: row of the second copy; None for equal pixels, which are packed once.
        bits: bits in which their hashes differ; 0 for equal pixels.
    """

    row: int
    image: str
    label: int
    other_row: int | None
    other_image: str
    other_label: int
    bits: int = 0


def from_links(
    links: Iterable[NearCopy], names: Sequence[str], labels: Sequence[int]
) -> list[Conflict]:
    """Build the conflicts of near copies."""
    return [
        Conflict(
            row=link.row,
            image=names[link.row],
            label=labels[link.row],
            other_row=link.twin,
            other_image=names[link.twin],
            other_label=labels[link.twin],
            bits=link.bits,
        )
        for link in links
    ]


def left_out(conflicts: Sequence[Conflict], how: str) -> set[int]:
    """Select the packed rows that conflicts exclude.

    Args:
        conflicts: the conflicts.
        how: drop (every copy), keep_first (the later of near copies; of equal pixels only the first
            is packed), or error.

    Raises:
        UserError: how is error and there are conflicts.
    """
    if how == "error" and conflicts:
        one = conflicts[0]
        raise UserError(
            f"ingest.conflicts: error: {len(conflicts)} picture(s) under two labels; the first: "
            f"{escape(one.image)!r} and {escape(one.other_image)!r}. Correct them in "
            "data/label_fixes.csv, or take drop or keep_first"
        )
    if how == "drop":
        return {conflict.row for conflict in conflicts}
    dropped: set[int] = set()
    for conflict in sorted(conflicts, key=lambda c: c.row):
        other = conflict.other_row
        if other is not None and other < conflict.row and other not in dropped:
            dropped.add(conflict.row)
    return dropped


def table(
    conflicts: Iterable[Conflict], classes: Sequence[str], dropped: Collection[int]
) -> list[tuple[str, str, str, str, int, str]]:
    """Format conflicts as rows of conflicts.csv, each cell printable."""
    return [
        (
            escape(c.image, 400),
            escape(classes[c.label], 400),
            escape(c.other_image, 400),
            escape(classes[c.other_label], 400),
            c.bits,
            "left out" if c.row in dropped else "kept",
        )
        for c in conflicts
    ]
