"""Write the Markdown report: a verdict, one table, figures, and how each number came about.

Holds neither times of day nor places of this machine, so two equal runs differ in measured speed
only. Names of classes and files are escaped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from thawline.evaluation import gate_line
from thawline.evaluation.results import INT8, Results
from thawline.plots.quantities import count, interval, megabytes, milliseconds, percent, rate, ratio
from thawline.report import methods, score_table
from thawline.runtime.escape import markdown

MAX_CLASSES = 100
_CHECKPOINT_COLUMNS = (
    "checkpoint", "accuracy", "95 % interval", "macro-F1", "rare recall", "NLL", "ECE", "latency",
    "p95", "throughput", "parameters", "MACs", "size", "memory",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ReportFigure:
    """A figure of the report; `path` is relative to the report's folder."""

    title: str
    path: PurePosixPath
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A wrong answer; `image` is the name of the image's file."""

    image: str
    actual: str
    predicted: str
    confidence: float


def render(
    results: Results,
    *,
    classes: Sequence[ClassScore],
    pictures: Sequence[ReportFigure],
    decisions: Mapping[str, str],
    mistakes: Sequence[Mistake],
    budget: Mapping[str, float | None],
    bootstrap_samples: int,
    calibration_bins: int,
) -> str:
    """Format the report as Markdown.

    Args:
        results: results of all checkpoints.
        classes: scores of the last checkpoint per class.
        pictures: figures of the report.
        decisions: why each training stage trained what it trained.
        mistakes: mistakes of the last checkpoint, the most confident first.
        budget: min_accuracy, max_latency_ms, max_size_mb; None stands for no limit.
        bootstrap_samples: resamples of the intervals.
        calibration_bins: bins of the calibration error.
    """
    parts = [
        "# Evaluation",
        f"**{verdict(results)}**",
        budget_line(results, budget),
        gate_line.MARKDOWN,
        "## Checkpoints",
        _checkpoints(results),
        _device_line(results),
        _int8_line(results),
        "## Decisions",
        _decisions(decisions),
        *(_picture(picture) for picture in pictures),
        "## Scores per class, the worst first",
        _classes(classes),
        "## Where the mistakes came from",
        _mistakes(mistakes),
        "## Further scores",
        _further(results),
        "## How it was measured",
        methods.sentences(results, bootstrap_samples, calibration_bins),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(results: Results) -> str:
    """Summarise the shipped checkpoint in one sentence: accuracy, interval, latency, size.

    With few test images the width of the interval comes first.
    """
    row = results.of(results.final)
    wide, sure = score_table.how_wide(row), interval(row["accuracy_low"], row["accuracy_high"])
    scored = f"{results.final} has an accuracy of {percent(row['accuracy'])} on"
    good = (
        f"{wide}; {scored} them ({sure})"
        if wide
        else f"{scored} {row['num_images']:,} test images (95 % interval {sure})"
    )
    return (
        f"{good}, a latency of {milliseconds(row.get('latency_ms'))} per image and a size of "
        f"{megabytes(row['size_mb'])}."
    )


def budget_line(results: Results, budget: Mapping[str, float | None]) -> str:
    """Say which limits of the budget the last checkpoint keeps; empty without limits."""
    row = results.of(results.final)
    limits = (
        ("min_accuracy", row["accuracy"], percent),
        ("max_latency_ms", row.get("latency_ms"), milliseconds),
        ("max_size_mb", row["size_mb"], megabytes),
    )
    kept: list[str] = []
    broken: list[str] = []
    for key, value, write in limits:
        limit = budget.get(key)
        if limit is None:
            continue
        fits = value is not None and (value >= limit if key.startswith("min") else value <= limit)
        (kept if fits else broken).append(f"`budget.{key}` {write(limit)} (is {write(value)})")
    if broken:
        return f"Over budget: {', '.join(broken)}."
    return f"Within budget: {', '.join(kept)}." if kept else ""


def _checkpoints(results: Results) -> str:
    rows = []
    for name in results.metrics:
        row = results.of(name)
        rows.append((
            name, percent(row["accuracy"]), interval(row["accuracy_low"], row["accuracy_high"]),
            ratio(row["macro_f1"]), ratio(row["rare_recall"]), ratio(row["nll"]), ratio(row["ece"]),
            milliseconds(row.get("latency_ms")), milliseconds(row.get("latency_p95_ms")),
            rate(row.get("throughput_per_s")), count(row["parameters"]), count(row["macs"]),
            megabytes(row["size_mb"]), megabytes(row.get("peak_memory_mb")),
        ))  # fmt: skip
    return _table(_CHECKPOINT_COLUMNS, rows)


def _device_line(results: Results) -> str:
    device = results.device
    if not device:
        return ""
    return (
        f"Speed and memory on {markdown(str(device['name']))} ({device['instructions']}), "
        f"{device['threads']} threads, PyTorch {device['torch']}, ONNX Runtime "
        f"{device['onnxruntime']}; device `{device['fingerprint']}`. "
        f"Times compare only where that is equal.{_gpu_note(results)}"
    )


def _gpu_note(results: Results) -> str:
    rows = (f"`{name}` on {markdown(gpu)}" for name, gpu in results.on_gpu.items())
    found = ", ".join(rows)
    return f" Not on this device: {found}." if found else ""


def _int8_line(results: Results) -> str:
    """Compare the speed of 8-bit integers on this device.

    Small and depthwise networks may gain nothing.
    """
    if INT8 not in results.metrics:
        return ""
    whole, small = results.of(results.final), results.of(INT8)
    before, after = whole.get("latency_ms"), small.get("latency_ms")
    if before is None or after is None:
        return ""
    gained = f"{before / after:.2f} times as fast as" if after < before else "no faster than"
    return (
        f"`{INT8}` is {results.final} in 8-bit integers, {small['size_mb'] / whole['size_mb']:.2f} "
        f"of its size and on this device {gained} the float file: {milliseconds(after)} against "
        f"{milliseconds(before)} for one image."
    )


def _decisions(decisions: Mapping[str, str]) -> str:
    return "\n".join(f"- {stage}: {reason}." for stage, reason in decisions.items())


def _picture(picture: ReportFigure) -> str:
    title = markdown(picture.title)
    return f"## {title}\n\n![{title}](<{picture.path}>)" + (
        f"\n\n{picture.caption}" if picture.caption else ""
    )


def _classes(classes: Sequence[ClassScore]) -> str:
    worst = sorted(classes, key=lambda c: c.f1)[:MAX_CLASSES]
    more = len(classes) - len(worst)
    rows = (
        (
            markdown(c.name, 60),
            percent(c.precision),
            percent(c.recall),
            percent(c.f1),
            f"{c.support:,}",
        )
        for c in worst
    )
    table = _table(("class", "precision", "recall", "F1", "test images"), rows)
    return table + (f"\n\nThe {more:,} classes with a higher F1 are left out." if more else "")


def _mistakes(mistakes: Sequence[Mistake]) -> str:
    if not mistakes:
        return "None."
    rows = (
        (_source(m.image), markdown(m.actual, 60), markdown(m.predicted, 60), percent(m.confidence))
        for m in mistakes
    )
    return _table(("image", "is", "was taken for", "confidence"), rows)


def _source(name: str) -> str:
    return markdown(short_source(name), 80)


def short_source(name: str) -> str:
    """Shorten a path to its last two parts: enough to find the file, no more."""
    return "/".join(PurePosixPath(name).parts[-2:]).lstrip("/")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = ["| " + " | ".join(columns) + " |", "|" + " --- |" + " ---: |" * (len(columns) - 1)]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows)])


def _further(results: Results) -> str:
    return _table(("score", "value", "95 % interval"), score_table.lines(results.of(results.final)))
