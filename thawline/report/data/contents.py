"""What a data report is about, and how its parts are set."""

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
"""Of thumbnails."""
MAX_SHOWN = 12
"""Examples of one kind."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What the report is about.

    Attributes:
        looks: per row; asked for several times, so no generator.
        links: near copies; None where none were looked for.
        conflicts: with what became of each row in `left_out`.
        quarantine: names and reasons, printable.
        notes: per row, what is odd about its file.
        decided: how the images were packed.
        blanks: rows on which nothing is to be seen.
        num_transparent: images of which not every pixel is opaque.
        depth: that images of 16 bits use few of them, or None.
        account: what became of every file.
        remarks: how the source was understood, where that is worth a word.
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
    """A row's name and class, escaped."""
    return markdown(manifest.names[row], 80), markdown(manifest.classes[manifest.labels[row]], 60)


def picture(title: str, file: Path) -> str:
    """A link to a file of the folder beside the page."""
    return f"![{title}](<{file.parent.name}/{file.name}>)"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are Markdown already."""
    head = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows)])
