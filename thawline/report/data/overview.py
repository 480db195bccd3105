"""Report the contents of a data set: classes, sizes, looks, and outliers."""

import json
from pathlib import Path

import numpy as np

from thawline.dataset.manifest import Manifest
from thawline.plots import style
from thawline.report.data import charts, outliers, tiles
from thawline.report.data.contents import (
    COLUMNS,
    MAX_SHOWN,
    Contents,
    name_and_class,
    picture,
    table,
)
from thawline.runtime.escape import markdown

MAX_CLASSES = 100
"""Largest number of classes in the table."""
_SPLITS = ("train", "val", "test", "unused")


def classes(pictures: Path, manifest: Manifest) -> list[str]:
    """Report images per class and split; of many classes the largest and the smallest."""
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
        picture("Images per class", pictures / "classes.png"),
        table(("class", *_SPLITS), [*rows, sums]),
        *note,
    ]


def decisions(contents: Contents) -> list[str]:
    """Report how the images were packed, and why."""
    rows = [
        (f"`{key}`", markdown(format_value(one.value), 40),
         "the data" if one.auto else "params.yaml", markdown(one.reason, 200))
        for key, one in contents.decided.decisions.items()
    ]  # fmt: skip
    return ["## Decided", table(("ingest", "value", "by", "why"), rows)]


def format_value(value: object) -> str:
    """Format a value as params.yaml does."""
    return json.dumps(value) if not isinstance(value, str) else value


def looks(pictures: Path, contents: Contents) -> list[str]:
    """Report the distribution of sizes and looks."""
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
        picture("Sizes and looks", pictures / "spread.png"),
    ]


def outlying(pictures: Path, contents: Contents) -> list[str]:
    """Report the outliers of each kind, the farthest first."""
    parts = [
        "## Outliers",
        "They are used like all others. Dark, bright, flat and blurred ones are beyond "
        f"{outliers.LIMIT} median deviations from the median.",
    ]
    manifest = contents.manifest
    measured = outliers.find(contents.looks, manifest.widths, manifest.heights)
    for number, found in enumerate(measured):
        parts.append(f"### {found.title}: {len(found.rows):,}")
        rows = found.rows[:MAX_SHOWN].tolist()
        if rows:
            file = pictures / f"outliers-{number}.png"
            tiles.grid(file, contents.store, rows, COLUMNS)
            lines = [(*name_and_class(manifest, row), f"{found.values[row]:.1f}") for row in rows]
            parts += [picture(found.title, file), table(("image", "class", "value"), lines)]
    return parts
