"""Hold the contents of a data report, and format its parts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.ingest.decided import Decided
from thawline.ingest.findings import Findings
from thawline.runtime.escape import markdown

COLUMNS = 12
"""Number of thumbnails in a row."""
MAX_SHOWN = 12
"""Examples of one kind."""


@dataclass(frozen=True, kw_only=True)
class Contents(Findings):
    """Contents of a data report.

    Attributes:
        decided: decisions on how the images were packed.
    """

    manifest: Manifest
    store: ImageStore
    decided: Decided


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
