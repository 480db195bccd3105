"""Report oddities of a data set: copies, conflicts, files that were set aside or noted."""

from collections.abc import Sequence
from pathlib import Path

from thawline.ingest.accounting import reason_kind
from thawline.report.data import tiles
from thawline.report.data.contents import (
    COLUMNS,
    MAX_SHOWN,
    Contents,
    name_and_class,
    picture,
    table,
)
from thawline.runtime.escape import markdown

_MAX_REASONS = 20


def near(pictures: Path, contents: Contents) -> list[str]:
    """Report near copies: how many, and the pairs that differ most."""
    links = contents.links
    if links is None:
        why = contents.decided.decisions["near_duplicate_distance"].reason
        return ["## Near copies", f"Not looked for: {markdown(why, 200)}."]
    parts = [
        "## Near copies",
        f"Images with a near copy further up in the source: {len(links):,}, all in "
        "`near_duplicates.csv`. They share a split with it.",
    ]
    listed = sorted(links, key=lambda link: (-link.bits, link.row))[:MAX_SHOWN]
    if listed:
        parts.append("The pairs that differ most, each side by side:")
        parts += _pairs(
            pictures / "near.png",
            contents,
            [(link.row, link.twin, f"{link.bits}") for link in listed],
            "bits",
        )
    return parts


def conflicting(pictures: Path, contents: Contents) -> list[str]:
    """Report pictures under two labels, and what became of them."""
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
        for c in found[:MAX_SHOWN]
    ]
    file = pictures / "conflicts.png"
    rows = [(c.row, c.row if c.other_row is None else c.other_row) for c in found[:MAX_SHOWN]]
    tiles.grid(file, contents.store, [row for pair in rows for row in pair], COLUMNS // 2)
    return [
        "## Label conflicts",
        f"{len(found):,}, all in `conflicts.csv`; `data/label_fixes.csv` corrects them. Each with "
        "its copy side by side:",
        picture("Pictures under two labels", file),
        table(("image", "label", "copy", "its label", "outcome"), lines),
    ]


def _pairs(
    file: Path, contents: Contents, pairs: Sequence[tuple[int, int, str]], last: str
) -> list[str]:
    rows = [row for one, two, _ in pairs for row in (one, two)]
    tiles.grid(file, contents.store, rows, COLUMNS // 2)
    lines = [
        (*name_and_class(contents.manifest, one), *name_and_class(contents.manifest, two), value)
        for one, two, value in pairs
    ]
    return [picture("Pairs", file), table(("image", "class", "copy", "its class", last), lines)]


def blank(pictures: Path, contents: Contents) -> list[str]:
    """Show pictures of one colour, by kind, and count those with transparency."""
    red, green, blue = contents.decided.background
    parts = [
        "## Transparent and blank pictures",
        f"With transparency: {contents.num_transparent:,}, laid over [{red}, {green}, {blue}]. "
        f"Pictures that show one colour: {sum(map(len, contents.blanks.values())):,}. They are "
        "used like all others, and none is a copy of another unless the files show the same.",
    ]
    for number, (kind, found) in enumerate(contents.blanks.items()):
        rows = list(found[:MAX_SHOWN])
        file = pictures / f"blank-{number}.png"
        tiles.grid(file, contents.store, rows, COLUMNS)
        lines = [name_and_class(contents.manifest, row) for row in rows]
        title = f"{kind[0].upper()}{kind[1:]}"
        parts += [
            f"### {title}: {len(found):,}",
            picture(title, file),
            table(("image", "class"), lines),
        ]
    return parts


def depth(contents: Contents) -> list[str]:
    """Report 16-bit images that use few of their bits; nothing where there are none."""
    return ["## Depth", f"{contents.depth}."] if contents.depth else []


def notes(contents: Contents) -> list[tuple[str, str]]:
    """List names and remarks of odd files that were used all the same."""
    names = contents.manifest.names
    return [(name, n) for name, n in zip(names, contents.notes, strict=True) if n is not None]


def passed_over(contents: Contents) -> list[str]:
    """Report how many files each rule passed over, and the sum of all files."""
    counts = contents.account.passed_over
    rows = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:_MAX_REASONS]
    lines = [(markdown(rule, 100), f"{number:,}") for rule, number in rows]
    parts = [f"{contents.account.sentence()}.", *(markdown(r, 400) for r in contents.remarks)]
    return ["## Every file", *parts, *([table(("passed over", "files"), lines)] if rows else [])]


def grouped(title: str, listed_in: str | None, files: Sequence[tuple[str, str]]) -> list[str]:
    """Report files by reason, the commonest first.

    Args:
        title: heading.
        listed_in: the table that has all of them, if there is one.
        files: names and reasons.
    """
    if not files:
        return [f"## {title}", "Nothing."]
    by_reason: dict[str, list[str]] = {}
    for name, reason in files:
        by_reason.setdefault(reason_kind(reason), []).append(name)
    ordered = sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    lines = [
        (markdown(reason, 100), f"{len(names):,}", ", ".join(markdown(n, 60) for n in names[:3]))
        for reason, names in ordered[:_MAX_REASONS]
    ]
    return [
        f"## {title}",
        f"{len(files):,} files{f', all in `{listed_in}`' if listed_in else ''}.",
        table(("reason", "files", "for example"), lines),
    ]
