"""Write the data report as Markdown, with its pictures beside it.

Bounded: whatever the set's size, at most a few hundred thumbnails are read. Holds neither times nor
places of this machine; names of classes and files are escaped.
"""

import shutil
from pathlib import Path

import numpy as np

from thawline.report.data import oddities, overview, tiles
from thawline.report.data.contents import COLUMNS, Contents, picture
from thawline.runtime.escape import markdown

MAX_SHEETS = 40
_PER_SHEET = 24


def write(folder: Path, contents: Contents) -> None:
    """Write report.md, and a folder `pictures` beside it."""
    pictures = folder / "pictures"
    if pictures.exists():
        shutil.rmtree(pictures)
    pictures.mkdir(parents=True)
    parts = [
        "# The data set",
        *overview.classes(pictures, contents.manifest),
        *overview.decisions(contents),
        *overview.looks(pictures, contents),
        *overview.outlying(pictures, contents),
        *oddities.blank(pictures, contents),
        *oddities.depth(contents),
        *oddities.near(pictures, contents),
        *oddities.conflicting(pictures, contents),
        *oddities.passed_over(contents),
        *oddities.grouped("Set aside", "data/ingest/quarantine.csv", contents.quarantine),
        *oddities.grouped("Taken, but noted", None, oddities.notes(contents)),
        *_sheets(pictures, contents),
    ]
    (folder / "report.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _sheets(pictures: Path, contents: Contents) -> list[str]:
    """Draw one sheet per class, images taken evenly; of many the smallest and the largest."""
    manifest = contents.manifest
    by_class = np.argsort(manifest.labels, kind="stable")
    ends = np.cumsum(np.bincount(manifest.labels, minlength=len(manifest.classes)))
    sizes = np.diff(ends, prepend=0)
    numbers = np.arange(len(sizes))
    if len(numbers) > MAX_SHEETS:
        order = np.argsort(sizes, kind="stable")
        half = MAX_SHEETS // 2
        numbers = np.sort(np.r_[order[:half], order[-half:]])
    parts = ["## Contact sheets"]
    if len(numbers) < len(sizes):
        parts.append(
            f"Of the {MAX_SHEETS // 2} smallest and the {MAX_SHEETS // 2} largest classes."
        )
    for k in numbers.tolist():
        rows = by_class[ends[k] - sizes[k] : ends[k]]
        if len(rows):
            chosen = rows[np.linspace(0, len(rows) - 1, min(_PER_SHEET, len(rows))).astype(int)]
            file = pictures / f"class-{k:05d}.png"
            tiles.grid(file, contents.store, chosen.tolist(), COLUMNS)
            name = markdown(manifest.classes[k], 60)
            parts += [f"### {name}", picture(name, file)]
    return parts
