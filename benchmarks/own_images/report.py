"""Turn the records of a comparison into Markdown tables."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.own_images.records import OURS, TOOLS, Record
from benchmarks.paired import difference

_FOREIGN_LOAD = 0.5
"""Of other processes, above which seconds do not count as measured."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Hold the records of a tool on a set, at the size at which it is most accurate.

    Attributes:
        records: one of each seed, ascending; of a tool without a seed a single one.
    """

    set_name: str
    tool: str
    size_px: int | None
    records: tuple[Record, ...]

    @property
    def accuracy(self) -> float:
        """Return the mean accuracy over the seeds."""
        return float(np.mean([record.right.mean() for record in self.records]))

    @property
    def seconds(self) -> float:
        """Return the median of the seconds over the seeds."""
        return float(np.median([record.seconds for record in self.records]))


def best_rows(records: Iterable[Record]) -> dict[str, dict[str, Row]]:
    """Choose each tool's best size on the test images, which favours what has several.

    Returns:
        Rows by set and tool, in the order of TOOLS.
    """
    grouped: dict[tuple[str, str, int | None], list[Record]] = defaultdict(list)
    for record in records:
        grouped[record.run.set_name, record.run.tool, record.run.size_px].append(record)
    found: dict[str, dict[str, Row]] = defaultdict(dict)
    for name, tool, size in sorted(grouped, key=_order):
        members = sorted(grouped[name, tool, size], key=lambda record: record.run.seed)
        row = Row(set_name=name, tool=tool, size_px=size, records=tuple(members))
        best = found[name].get(tool)
        if best is None or row.accuracy > best.accuracy:
            found[name][tool] = row
    return dict(found)


def paired(ours: Row, other: Row) -> tuple[float, float, float] | None:
    """Compare the same seeds and test rows: mean of ours - other, and its 95 % interval.

    A tool without a seed is compared with every seed of ours.
    """
    one = {record.run.seed: record.right for record in ours.records}
    two = {record.run.seed: record.right for record in other.records}
    if not TOOLS[other.tool].seeded:
        two = dict.fromkeys(one, other.records[0].right)
    seeds = sorted(one.keys() & two.keys())
    if not seeds:
        return None
    return difference(np.stack([one[s] for s in seeds]), np.stack([two[s] for s in seeds]))


def overview(rows: Mapping[str, Mapping[str, Row]]) -> str:
    """Print accuracy by set and tool, the highest of each set in bold."""
    tools = [tool for tool in TOOLS if any(tool in found for found in rows.values())]
    lines = [
        "| set | " + " | ".join(TOOLS[tool].title for tool in tools) + " |",
        "|---|" + "---:|" * len(tools),
    ]
    for name, found in rows.items():
        highest = max(row.accuracy for row in found.values())
        cells = [_cell(found.get(tool), highest) for tool in tools]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def table(rows: Mapping[str, Mapping[str, Row]]) -> str:
    """Print a line for each set and tool: size, accuracy, difference to ours, seconds."""
    lines = [
        "| set | tool | size | accuracy | Thawline - it, points (95 %) | seconds | seeds |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, found in rows.items():
        ours = found.get(OURS)
        for tool, row in found.items():
            against = paired(ours, row) if ours and tool != OURS else None
            cells = (
                name, TOOLS[tool].title, f"{row.size_px} px" if row.size_px else "its own",
                f"{row.accuracy:.1%}".replace("%", " %"), _points(against), f"{row.seconds:.0f}",
                str(len(row.records)),
            )  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def shipped(rows: Mapping[str, Mapping[str, Row]]) -> str:
    """Print what ours shipped on each set, means over the seeds, and how forecasts held."""
    lines = [
        "| set | parameters | multiply-adds | tuned | forecast of seed 0 | held |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    all_held = []
    for name, found in rows.items():
        records = [r for r in found[OURS].records if r.shipped] if OURS in found else []
        if not records:
            continue
        parts = [record.shipped or {} for record in records]
        held = [
            part["forecast_low"] <= record.right.mean() <= part["forecast_high"]
            for part, record in zip(parts, records, strict=True)
        ]
        all_held += held
        low, high = parts[0]["forecast_low"], parts[0]["forecast_high"]
        means = {key: np.mean([part[key] for part in parts]) for key in parts[0]}
        lines.append(
            f"| {name} | {100 * means['parameters']:.0f} % | {100 * means['macs']:.0f} % "
            f"| {sum(part['tuned'] for part in parts):.0f} of {len(parts)} "
            f"| {100 * low:.1f} to {100 * high:.1f} % | {sum(held)} of {len(held)} |"
        )
    lines.append(f"\nThe forecast held in {sum(all_held)} of {len(all_held)} runs.")
    return "\n".join(lines)


def about_seconds(records: Sequence[Record], cores: int) -> str:
    """Say what the seconds are, and under which load they were taken."""
    said = [
        "Seconds are those from the start of the process until the model is there; looks at the"
        " test images are not counted."
    ]
    whole = [record.whole_s for record in records if record.whole_s is not None]
    if whole:
        said.append(
            "`thawline run`, which also judges, times and reports, takes"
            f" {np.median(whole):.0f} s in the median."
        )
    load = float(np.median([record.load for record in records]))
    if load > cores + _FOREIGN_LOAD:
        said.append(
            f"The machine was busy (load {load:.1f} on {cores} cores, median over the runs), so"
            " seconds are too high and do not compare."
        )
    return " ".join(said)


def _order(group: tuple[str, str, int | None]) -> tuple[str, int, int]:
    name, tool, size = group
    return name, list(TOOLS).index(tool), size or 0


def _cell(row: Row | None, highest: float) -> str:
    if row is None:
        return ""
    shown = f"{100 * row.accuracy:.1f}"
    return f"**{shown}**" if row.accuracy == highest else shown


def _points(found: tuple[float, float, float] | None) -> str:
    if found is None:
        return ""
    value, low, high = (100 * part for part in found)
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"
