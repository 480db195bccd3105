"""The data report as Markdown, with its pictures beside it.

Bounded: whatever the set's size, at most a few hundred thumbnails are read. Holds neither times nor
places of this machine; names of classes and files are escaped.
"""

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thawline.data import conflicts
from thawline.data.conflicts import Conflict
from thawline.data.items import shown
from thawline.data.looks import Looks
from thawline.data.manifest import Manifest
from thawline.data.store import ImageStore
from thawline.data.twins import Link
from thawline.data_report import charts, outliers, tiles
from thawline.evaluation import style
from thawline.evaluation.labels import markdown
from thawline.files import write_csv

MAX_CLASSES = 100
"""In the table."""
MAX_SHEETS = 40
_PER_SHEET = 24
_COLUMNS = 12
_MAX_SHOWN = 12
_MAX_REASONS = 20
_SPLITS = ("train", "val", "test", "unused")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What the report is about.

    Attributes:
        looks: per row.
        links: near copies; None where none were looked for.
        conflicts: with what became of each row in `left_out`.
        quarantine: names and reasons, printable.
        notes: per row, what is odd about its file.
    """

    manifest: Manifest
    store: ImageStore
    looks: Sequence[Looks]
    links: Sequence[Link] | None
    conflicts: Sequence[Conflict]
    left_out: frozenset[int]
    quarantine: Sequence[tuple[str, str]]
    notes: Sequence[str | None]


def write(folder: Path, contents: Contents) -> None:
    """Write report.md, a folder `pictures` beside it, and the tables of all copies."""
    pictures = folder / "pictures"
    if pictures.exists():
        shutil.rmtree(pictures)
    pictures.mkdir(parents=True)
    names, classes = contents.manifest.names, contents.manifest.classes
    splits = contents.manifest.splits.tolist()
    write_csv(
        folder / "conflicts.csv",
        conflicts.HEADER,
        conflicts.table(contents.conflicts, classes, contents.left_out),
    )
    write_csv(
        folder / "near_duplicates.csv",
        ("image", "copy", "bits", "split"),
        (
            (shown(names[k.row], 400), shown(names[k.twin], 400), k.bits, splits[k.row])
            for k in contents.links or ()
        ),
    )
    parts = [
        "# The data set",
        *_classes(pictures, contents.manifest),
        *_looks(pictures, contents),
        *_outliers(pictures, contents),
        *_near(pictures, contents),
        *_conflicts(pictures, contents),
        *_grouped("Set aside", "data/ingest/quarantine.csv", contents.quarantine),
        *_grouped("Taken, but noted", None, _notes(contents)),
        *_sheets(pictures, contents),
    ]
    (folder / "report.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _classes(pictures: Path, manifest: Manifest) -> list[str]:
    style.save(charts.classes(manifest), pictures / "classes.png")
    counts = [manifest.counts(split) for split in _SPLITS]
    total = np.sum(counts, axis=0)
    order = np.argsort(-total, kind="stable")
    half = MAX_CLASSES // 2
    listed = order if len(order) <= MAX_CLASSES else np.r_[order[:half], order[-half:]]
    rows = [
        (markdown(manifest.classes[k], 60), *(f"{count[k]:,}" for count in counts)) for k in listed
    ]
    sums = ("**all**", *(f"{count.sum():,}" for count in counts))
    left = len(order) - len(listed)
    note = [f"The {left:,} classes of middle size are left out of the table."] if left else []
    return [
        f"{len(manifest):,} different images in {len(manifest.classes):,} classes.",
        "## Classes and splits",
        _picture("Images per class", pictures / "classes.png"),
        _table(("class", *_SPLITS), [*rows, sums]),
        *note,
    ]


def _looks(pictures: Path, contents: Contents) -> list[str]:
    manifest = contents.manifest
    style.save(charts.spread(manifest, contents.looks), pictures / "spread.png")
    area = manifest.widths * manifest.heights
    ends = ", ".join(
        f"the {word} {manifest.widths[row]:,} x {manifest.heights[row]:,} px"
        for word, row in (("smallest", int(area.argmin())), ("largest", int(area.argmax())))
    )
    return [
        "## Sizes and looks",
        f"{ends[0].upper()}{ends[1:]}. Brightness is the mean grey level, contrast its standard "
        "deviation (both in 0 to 255), sharpness the variance of the Laplacian, at 256 px or less.",
        _picture("Sizes and looks", pictures / "spread.png"),
    ]


def _outliers(pictures: Path, contents: Contents) -> list[str]:
    parts = [
        "## Outliers",
        "They are used like all others. Dark, bright, flat and blurred ones are beyond "
        f"{outliers.LIMIT} median deviations from the median.",
    ]
    manifest = contents.manifest
    measured = outliers.find(contents.looks, manifest.widths, manifest.heights)
    for number, found in enumerate(measured):
        parts.append(f"### {found.title}: {len(found.rows):,}")
        rows = found.rows[:_MAX_SHOWN].tolist()
        if rows:
            file = pictures / f"outliers-{number}.png"
            tiles.grid(file, contents.store, rows, _COLUMNS)
            lines = [(*_named(manifest, row), f"{found.values[row]:.1f}") for row in rows]
            parts += [_picture(found.title, file), _table(("image", "class", "value"), lines)]
    return parts


def _near(pictures: Path, contents: Contents) -> list[str]:
    links = contents.links
    if links is None:
        return ["## Near copies", "Not looked for (`ingest.near_duplicate_distance: null`)."]
    parts = [
        "## Near copies",
        f"Images with a near copy further up in the source: {len(links):,}, all in "
        "`near_duplicates.csv`. They share a split with it.",
    ]
    listed = sorted(links, key=lambda link: (-link.bits, link.row))[:_MAX_SHOWN]
    if listed:
        parts.append("The pairs that differ most, each side by side:")
        parts += _pairs(
            pictures / "near.png",
            contents,
            [(link.row, link.twin, f"{link.bits}") for link in listed],
            "bits",
        )
    return parts


def _conflicts(pictures: Path, contents: Contents) -> list[str]:
    found = contents.conflicts
    if not found:
        return ["## Label conflicts", "None."]
    lines = [
        (
            markdown(c.image, 80),
            markdown(contents.manifest.classes[c.label], 60),
            markdown(c.other_image, 80),
            markdown(contents.manifest.classes[c.other_label], 60),
            "left out" if c.row in contents.left_out else "kept",
        )
        for c in found[:_MAX_SHOWN]
    ]
    file = pictures / "conflicts.png"
    rows = [(c.row, c.row if c.other_row is None else c.other_row) for c in found[:_MAX_SHOWN]]
    tiles.grid(file, contents.store, [row for pair in rows for row in pair], _COLUMNS // 2)
    return [
        "## Label conflicts",
        f"{len(found):,}, all in `conflicts.csv`; `data/label_fixes.csv` corrects them. Each with "
        "its copy side by side:",
        _picture("Pictures under two labels", file),
        _table(("image", "label", "copy", "its label", "outcome"), lines),
    ]


def _pairs(
    file: Path, contents: Contents, pairs: Sequence[tuple[int, int, str]], last: str
) -> list[str]:
    rows = [row for one, two, _ in pairs for row in (one, two)]
    tiles.grid(file, contents.store, rows, _COLUMNS // 2)
    lines = [
        (*_named(contents.manifest, one), *_named(contents.manifest, two), value)
        for one, two, value in pairs
    ]
    return [_picture("Pairs", file), _table(("image", "class", "copy", "its class", last), lines)]


def _notes(contents: Contents) -> list[tuple[str, str]]:
    names = contents.manifest.names
    return [(name, n) for name, n in zip(names, contents.notes, strict=True) if n is not None]


def _grouped(title: str, table: str | None, files: Sequence[tuple[str, str]]) -> list[str]:
    """Files by reason, the commonest first."""
    if not files:
        return [f"## {title}", "Nothing."]
    by_reason: dict[str, list[str]] = {}
    for name, reason in files:
        by_reason.setdefault(_kind(reason), []).append(name)
    ordered = sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    lines = [
        (markdown(reason, 100), f"{len(names):,}", ", ".join(markdown(n, 60) for n in names[:3]))
        for reason, names in ordered[:_MAX_REASONS]
    ]
    return [
        f"## {title}",
        f"{len(files):,} files{f', all in `{table}`' if table else ''}.",
        _table(("reason", "files", "for example"), lines),
    ]


def _kind(reason: str) -> str:
    """The reason without what differs from file to file."""
    reason = re.sub(r"^row \d+: ", "", reason)
    cut = re.match(r"(duplicate|conflict|near copy in two splits)\b", reason)
    return cut[1] if cut else re.sub(r"\d+", "N", reason)


def _sheets(pictures: Path, contents: Contents) -> list[str]:
    """One sheet per class, images taken evenly; of many classes the smallest and the largest."""
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
            tiles.grid(file, contents.store, chosen.tolist(), _COLUMNS)
            name = markdown(manifest.classes[k], 60)
            parts += [f"### {name}", _picture(name, file)]
    return parts


def _named(manifest: Manifest, row: int) -> tuple[str, str]:
    return markdown(manifest.names[row], 80), markdown(manifest.classes[manifest.labels[row]], 60)


def _picture(title: str, file: Path) -> str:
    return f"![{title}](<{file.parent.name}/{file.name}>)"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows)])
