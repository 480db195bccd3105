"""Write the report as one HTML file: a verdict, then data, training, errors, certainty, cost.

It needs no network and no script, can be read on a phone and printed. Every name that comes from
the data is first written out (`labels.visible`) and then escaped by the template engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from thawline.dataset.manifest import Manifest
from thawline.evaluation import gate_line
from thawline.evaluation.label_issues import LabelIssue
from thawline.evaluation.results import Results
from thawline.evaluation.robustness import Robustness
from thawline.evaluation.slices import Slice
from thawline.models.checkpoint import ModelConfig
from thawline.plots.quantities import (
    UNKNOWN,
    count,
    interval,
    megabytes,
    milliseconds,
    percent,
    rate,
    ratio,
)
from thawline.report import markdown, methods, model_card, score_table
from thawline.report.data_uris import data_uris
from thawline.report.markdown import (
    ClassScore,
    Mistake,
    ReportFigure,
    budget_line,
    short_source,
    verdict,
)
from thawline.runtime.escape import visible

MAX_CLASSES = 30
_MAX_ISSUES = 20
_TEMPLATES = Path(__file__).parent / "templates"
_SECTION_OF = {
    "class_distribution": "data",
    "curves": "training",
    "rebalancing": "data",
    "transfer_learn_blocks": "training",
    "fine_tune_blocks": "training",
    "transfer_learn_head": "training",
    "transfer_learn_depth": "training",
    "fine_tune_depth": "training",
    "reliability": "certainty",
    "risk_coverage": "certainty",
}
"""Section of a picture, by its file's stem; all others are about errors."""
Advice = tuple[str, str, str, str]
"""Key of params.yaml, its value, the proposed one, and the rule with its figure."""


@dataclass(frozen=True, kw_only=True)
class PageContent:
    """Contents of the page; `pictures` lie below `folder`."""

    folder: Path
    results: Results
    card: ModelConfig
    manifest: Manifest
    decisions: Mapping[str, str]
    classes: Sequence[ClassScore]
    pictures: Sequence[ReportFigure]
    mistakes: Sequence[Mistake]
    slices: Sequence[Slice]
    robustness: Sequence[Robustness]
    issues: Sequence[LabelIssue]
    advice: Sequence[Advice]
    budget: Mapping[str, float | None]
    bootstrap_samples: int
    calibration_bins: int


def write(content: PageContent) -> None:
    """Write report.html, report.md and model_card.md."""
    classes, decisions = content.classes, content.decisions
    text = markdown.render(
        content.results,
        classes=classes,
        pictures=content.pictures,
        decisions=decisions,
        mistakes=content.mistakes,
        budget=content.budget,
        bootstrap_samples=content.bootstrap_samples,
        calibration_bins=content.calibration_bins,
    )
    card = model_card.render(
        content.results,
        card=content.card,
        manifest=content.manifest,
        decisions=decisions,
        classes=classes,
        slices=content.slices,
    )
    texts = {"report.html": render(content), "report.md": text, "model_card.md": card}
    for name, written in texts.items():
        (content.folder / name).write_text(written, encoding="utf-8")


def render(content: PageContent) -> str:
    """Render the page as HTML; equal contents give equal bytes."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html.j2").render(_context(content))


def _context(content: PageContent) -> dict[str, object]:
    results = content.results
    row, budget = results.of(results.final), budget_line(results, content.budget)
    return {
        "gate": gate_line.HTML,
        "verdict": verdict(results),
        "budget": budget.replace("`", ""),
        "over": budget.startswith("Over"),
        "tiles": _tiles(row),
        "checkpoints": [_checkpoint(results, name) for name in results.metrics],
        "headline": score_table.lines(row),
        "final": results.final,
        "card": content.card,
        "data": _data(content.manifest),
        "decisions": {
            name: visible(reason).replace("`", "") for name, reason in content.decisions.items()
        },
        "pictures": _pictures(content),
        "classes": _classes(content.classes),
        "num_classes": len(content.classes),
        "mistakes": [_mistake(mistake) for mistake in content.mistakes],
        "slices": [_slice(part) for part in content.slices],
        "robustness": [(r.corruption, r.severity, percent(r.accuracy)) for r in content.robustness],
        "issues": [_issue(issue, content.manifest) for issue in content.issues[:_MAX_ISSUES]],
        "num_issues": len(content.issues),
        "advice": [tuple(map(visible, line)) for line in content.advice],
        "device": {key: visible(str(value)) for key, value in results.device.items()},
        "batches": _batches(results),
        "method": [line.replace("`", "") for line in _sentences(content)],
    }


def _tiles(row: Mapping[str, float]) -> list[tuple[str, str, str]]:
    return [
        ("accuracy", percent(row["accuracy"]), _sure(row)),
        ("macro-F1", ratio(row["macro_f1"]), "every class counts the same"),
        ("one image", milliseconds(row.get("latency_ms")), "median"),
        ("throughput", rate(row.get("throughput_per_s")), "images in batches"),
        ("on disk", megabytes(row["size_mb"]), f"{count(row['parameters'])} parameters"),
        ("memory", megabytes(row.get("peak_memory_mb")), "of a process that only serves"),
    ]


def _sure(row: Mapping[str, float]) -> str:
    ends = interval(row["accuracy_low"], row["accuracy_high"])
    return f"{score_table.points_wide(row)}: {ends}" if score_table.how_wide(row) else ends


def _checkpoint(results: Results, name: str) -> tuple[str, ...]:
    row = results.of(name)
    return (
        name, percent(row["accuracy"]), interval(row["accuracy_low"], row["accuracy_high"]),
        ratio(row["macro_f1"]), ratio(row["rare_recall"]), ratio(row["nll"]), ratio(row["ece"]),
        _runtime(row),
        milliseconds(row.get("latency_ms")),
        milliseconds(row.get("latency_p95_ms")), milliseconds(row.get("latency_p99_ms")),
        rate(row.get("throughput_per_s")), count(row["parameters"]), count(row["macs"]),
        megabytes(row["size_mb"]), megabytes(row.get("peak_memory_mb")),
    )  # fmt: skip


def _runtime(row: Mapping[str, Any]) -> str:
    return ", on ".join(row[key] for key in ("runtime", "gpu") if key in row) or UNKNOWN


def _batches(results: Results) -> list[tuple[str, ...]]:
    """Tabulate throughput by batch size: a row per checkpoint, the sizes in front."""
    measured = {
        name: results.of(name)["throughput_by_batch"]
        for name in results.metrics
        if "throughput_by_batch" in results.of(name)
    }
    sizes = sorted({size for rates in measured.values() for size in rates}, key=int)
    head = [("checkpoint", *(f"batch {size}" for size in sizes))] if sizes else []
    return head + [
        (name, *(rate(rates.get(size)) for size in sizes)) for name, rates in measured.items()
    ]


def _data(manifest: Manifest) -> list[tuple[str, str]]:
    counts = {split: manifest.counts(split) for split in ("train", "val", "test")}
    train = counts["train"]
    shown = ", ".join(visible(name, 24) for name in manifest.classes[:12])
    more = f" and {len(manifest.classes) - 12:,} more" if len(manifest.classes) > 12 else ""
    return [
        ("classes", f"{len(manifest.classes):,}: {shown}{more}"),
        ("training images", f"{train.sum():,}; commonest class {train.max():,}, rarest "
         f"{train.min():,}"),
        ("validation images", f"{counts['val'].sum():,}"),
        ("test images", f"{counts['test'].sum():,}"),
        ("original size", f"{_range(manifest.widths)} x {_range(manifest.heights)} px"),
    ]  # fmt: skip


def _range(sides: np.ndarray) -> str:
    low, high = int(sides.min()), int(sides.max())
    return f"{low}" if low == high else f"{low} to {high}"


def _pictures(content: PageContent) -> dict[str, list[dict[str, str]]]:
    stems = {PurePosixPath(picture.path).stem: picture for picture in content.pictures}
    sources = data_uris({stem: content.folder / p.path for stem, p in stems.items()})
    found: dict[str, list[dict[str, str]]] = {
        section: [] for section in ("data", "training", "errors", "certainty")
    }
    for stem, picture in stems.items():
        shown = {"title": picture.title, "caption": picture.caption, "source": sources[stem]}
        found[_SECTION_OF.get(stem, "errors")].append(shown)
    return found


def _classes(classes: Sequence[ClassScore]) -> list[tuple[str, ...]]:
    worst = sorted(classes, key=lambda c: c.f1)[:MAX_CLASSES]
    return [
        (visible(c.name, 40), *map(percent, (c.precision, c.recall, c.f1)), f"{c.support:,}")
        for c in worst
    ]


def _mistake(mistake: Mistake) -> tuple[str, ...]:
    names = (visible(name, 40) for name in (mistake.actual, mistake.predicted))
    return visible(short_source(mistake.image), 60), *names, percent(mistake.confidence)


def _slice(part: Slice) -> dict[str, object]:
    return {
        "name": f"{visible(part.column, 24)}: {visible(part.value, 40) or UNKNOWN}",
        "images": f"{part.num_images:,}",
        "accuracy": percent(part.accuracy),
        "interval": interval(part.low, part.high),
        "worse": part.worse,
    }


def _issue(issue: LabelIssue, manifest: Manifest) -> tuple[str, ...]:
    names = (visible(manifest.classes[k], 40) for k in (issue.label, issue.proposed))
    return visible(short_source(manifest.names[issue.row]), 60), *names, percent(issue.confidence)


def _sentences(content: PageContent) -> list[str]:
    """List the items of `methods.sentences`, a sentence or two each."""
    text = methods.sentences(content.results, content.bootstrap_samples, content.calibration_bins)
    return [" ".join(item.split()) for item in text.removeprefix("- ").split("\n- ")]
