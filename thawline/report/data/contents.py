"""Hold the contents of a data report, and format its parts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.ingest.accounting import Account
from thawline.ingest.decided import Decided
from thawline.ingest.decoding.blanks import Blanks
from thawline.ingest.decoding.image_stats import Looks
from thawline.ingest.dedup.label_conflicts import Conflict
from thawline.ingest.dedup.linking import NearCopy
from thawline.runtime.escape import markdown

COLUMNS = 12
"""Number of thumbnails in a row."""
MAX_SHOWN = 12
"""Examples of one kind."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Contents of a data report.

    Attributes:
        looks: statistics of each row; iterated several times, so not a generator.
        links: near copies; None where none were looked for.
        conflicts: label conflicts; what became of each row is in `left_out`.
        quarantine: names and reasons, printable.
        notes: per row what is odd about its file, or None.
        decided: decisions on how the images were packed.
        blanks: rows that show nothing, by kind.
        num_transparent: number of images with a pixel that is not opaque.
        depth: sentence on images of 16 bits that use few of them, or None.
        account: numbers of files by what became of them.
        remarks: how the source was understood, where that matters.
    """

    manifest: Manifest
    store: ImageStore
    looks: Iterable[Looks]
    links: Sequence[NearCopy] | None
    conflicts: Sequence[Conflict]
    left_out: frozenset[int]
    quarantine: Sequence[tuple[str, str]]
    notes: Sequence[str | None]
    decided: Decided
    blanks: Blanks
    num_transparent: int
    account: Account
    depth: str | None = None
    remarks: Sequence[str] = ()


def name_and_class(manifest: Manifest, row: int) -> tuple[str, str]:
    """Return a row's name and class, escaped."""
    return markdown(manifest.names[row], 80), markdown(manifest.classes[manifest.labels[row]], 60)


def picture(title: str, file: Path) -> str:
    """Format a link to a file of the folder beside the page."""
    return f"![{title}](<{file.parent.name}/{file.name}>)"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table whose cells are Markdown already."""
    head = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows)])
