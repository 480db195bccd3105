"""Find pictures that show nothing: one colour, or wholly transparent, by absolute measures."""

from collections.abc import Mapping, Sequence

from thawline.ingest.decoding.image_stats import Looks
from thawline.ingest.decoding.preprocess import INVISIBLE, LOST
from thawline.ingest.packing.image_table import PackedRows

LOST_KIND = "drawn in the colour of the background"
_KINDS = {INVISIBLE: "wholly transparent", LOST: LOST_KIND}
Blanks = Mapping[str, Sequence[int]]
"""Rows by what they are, in a fixed order, each row once."""


def find(packed: PackedRows) -> Blanks:
    """Find the rows whose picture shows one colour or nothing, by kind."""
    found: dict[str, list[int]] = {
        kind: [] for kind in ("black", "white", "one colour", *_KINDS.values())
    }
    for row, (looks, transparency) in enumerate(
        zip(packed.looks, packed.transparencies, strict=True)
    ):
        if kind := kind_of(looks, transparency):
            found[kind].append(row)
    return {kind: rows for kind, rows in found.items() if rows}


def kind_of(looks: Looks, transparency: str) -> str | None:
    """Return the kind of a blank picture; None for a picture that shows something."""
    return _KINDS.get(transparency) or looks.blank


def sentence(found: Blanks) -> str | None:
    """Describe the number of blank pictures in one line; None where there are none."""
    if not found:
        return None
    number = sum(map(len, found.values()))
    listed = ", ".join(f"{len(rows):,} {kind}" for kind, rows in found.items())
    return f"{number:,} pictures show one colour ({listed}); see reports/ingest/report.md"
