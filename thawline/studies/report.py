"""Write the report of a study, and of all of them ("the guide on your data"): Markdown and HTML.

The HTML holds its pictures, so that one file can be handed on; names from elsewhere are escaped.
"""

import base64
import html
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from thawline.plots import style
from thawline.plots.quantities import UNKNOWN, count, megabytes, milliseconds
from thawline.runtime.escape import markdown as escaped
from thawline.runtime.escape import visible
from thawline.studies import charts
from thawline.studies.summary import Line, Summary, front, judged_together

OF_ALL = "guide.html"
_LONGEST = 300
_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; color: #22272e; max-width: 62em; margin: 2em auto;
  padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; font-size: 14px; }
th, td { border-bottom: 1px solid #e3e7eb; padding: .35em .8em; text-align: right; }
th:first-child, td:first-child { text-align: left; }
td.text, th.text { text-align: left; }
td:not(.text) { white-space: nowrap; }
td.text:last-child { min-width: 10rem; }
img { max-width: 100%; height: auto; }
.holds { color: #26703f; font-weight: 600; }
.fails { color: #b2551a; font-weight: 600; }
.open { color: #56606b; }
h2 { margin-top: 2.2em; }
"""
_CLASSES = {"holds": "holds", "does not hold": "fails", "not decided": "open"}
Row = tuple[str, ...]


def write(folder: Path, summary: Summary) -> list[Path]:
    """Write NAME.html and NAME.md of one study."""
    name = summary.study.name
    page = _page(f"Study: {name}", _parts(summary))
    return _write(folder, name, page, markdown(summary))


def write_all(folder: Path, summaries: Sequence[Summary]) -> list[Path]:
    """Write guide.html and guide.md; the claims of all studies are corrected together."""
    together = judged_together(summaries)
    intro = (
        f"{len(together)} studies, {sum(s.complete for s in together)} trials, "
        f"{sum(len(s.claims) for s in together)} claims; intervals and verdicts are corrected for "
        "the number of claims on this page (Holm)."
    )
    rows = [row for summary in together for row in _overview(summary)]
    head = ("Study", "Claim", "Contender", "Difference, points", "Verdict")
    parts = [f"<p>{intro}</p>", _table(head, rows, left=(1, 2, 4))]
    for one in together:
        parts += [f"<h2>{_text(one.study.name)}</h2>", *_parts(one)]
    page = _page("The guide on your data", parts)
    text = ["# The guide on your data", intro, _markdown_table(head, rows)]
    text += [markdown(summary).replace("# ", "## ", 1) for summary in together]
    return _write(folder, Path(OF_ALL).stem, page, "\n\n".join(text) + "\n")


def markdown(summary: Summary) -> str:
    """Format the tables only: for a terminal, Prefect's pages, or a file in a repository."""
    parts = [
        f"# Study: {escaped(summary.study.name)}",
        *(escaped(text, _LONGEST) for text in _intro(summary)),
        _markdown_table(_HEAD, _rows(summary)),
    ]
    if summary.claims:
        parts.append(_markdown_table(_CLAIMS, _claims(summary)))
    if summary.failures:
        parts += ["Trials that ended early:", _markdown_table(("Trial", "Why"), _failures(summary))]
    return "\n\n".join(parts) + "\n"


def figures(summary: Summary) -> Iterator[tuple[str, Figure]]:
    """Yield alternative text and figure, where enough is known."""
    timed = [line for line in summary.lines if line.values and "latency_ms" in line.costs]
    if summary.complete:
        yield "Every trial", charts.contenders(summary)
    if summary.claims and summary.complete:
        yield "Differences to the baseline", charts.differences(summary)
    if timed:
        yield "Quality against latency", charts.trade_off(summary)
    if len(charts.by_macs(summary.lines)) > 1:
        yield "Gain per doubling of the operations", charts.doublings(summary)


def _parts(summary: Summary) -> list[str]:
    """Build the HTML of a study below its heading."""
    parts = [f"<p>{_text(text)}</p>" for text in _intro(summary)]
    if summary.claims:
        parts.append(_table(_CLAIMS, _claims(summary), left=(0, 1, 2, 5)))
    parts.append(_table(_HEAD, _rows(summary), left=()))
    parts += [_image(name, drawn) for name, drawn in figures(summary)]
    if summary.failures:
        parts += ["<h3>Trials that ended early</h3>"]
        parts.append(_table(("Trial", "Why"), _failures(summary), left=(1,)))
    return parts


def _intro(summary: Summary) -> list[str]:
    d = summary.study.definition
    points = f"{100 * d.smallest_effect:g}"
    smallest = f"{points} point" if points == "1" else f"{points} points"
    changed = summary.study.changed
    return [
        f"The guide: {d.claim}",
        f"Asked here: {d.question}",
        f"Decided by {d.measure} on validation rows, seeds {', '.join(map(str, d.seeds))}; a "
        f"difference below {smallest} is of no interest. That was written before the first trial.",
        *([f"Run with {changed}"] if changed else []),
    ]


_HEAD = (
    "Contender", "Mean", "Seeds", "Spread", "Rare recall", "Latency", "Size", "Memory",
    "Parameters", "Multiply-adds", "Pareto",
)  # fmt: skip
_CLAIMS = ("Claim", "Contender", "Baseline", "Difference, points", "Interval", "Verdict")


def _rows(summary: Summary) -> list[Row]:
    best = front(summary.lines)
    return [_row(line, line.label in best) for line in summary.lines]


def _row(line: Line, on_front: bool) -> Row:
    costs = line.costs
    failed = f" ({line.failed} failed)" if line.failed else ""
    return (
        line.label,
        _points(line.mean),
        f"{len(line.values)}{failed}",
        _points(line.spread),
        _points(line.rare_recall),
        milliseconds(costs.get("latency_ms")),
        megabytes(costs.get("size_mb")),
        megabytes(costs.get("peak_memory_mb")),
        count(costs.get("parameters")),
        count(costs.get("macs")),
        "yes" if on_front else "",
    )


def _claims(summary: Summary) -> list[Row]:
    return [
        (
            claim.says,
            claim.contender,
            claim.baseline,
            _points(judged.mean, "+"),
            _interval(judged.low, judged.high, judged.confidence),
            str(judged),
        )
        for claim, judged in zip(summary.claims, summary.verdicts, strict=True)
    ]


def _overview(summary: Summary) -> list[Row]:
    return [
        (
            summary.study.name,
            says,
            f"{contender} against {baseline}",
            f"{mean}, {interval}",
            verdict,
        )
        for says, contender, baseline, mean, interval, verdict in _claims(summary)
    ]


def _failures(summary: Summary) -> list[Row]:
    return [(trial, reason) for trial, reason in summary.failures]


def _points(value: float, sign: str = "") -> str:
    return UNKNOWN if math.isnan(value) else f"{100 * value:{sign}.2f}"


def _interval(low: float, high: float, confidence: float) -> str:
    if math.isnan(low):
        return "none"
    return f"{100 * low:+.2f} to {100 * high:+.2f} ({100 * confidence:.3g} %)"


def _markdown_table(head: Row, rows: Sequence[Row]) -> str:
    lines = [head, tuple("---" for _ in head)]
    lines += [tuple(escaped(cell, _LONGEST) for cell in row) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _table(head: Row, rows: Sequence[Row], left: Sequence[int]) -> str:
    """Build an HTML table; columns of text, by number, are aligned left."""
    titles = "".join(_cell("th", title, k in left) for k, title in enumerate(head))
    lines = [
        f"<tr>{''.join(_cell('td', cell, k in left) for k, cell in enumerate(row))}</tr>"
        for row in rows
    ]
    return f"<table><tr>{titles}</tr>{''.join(lines)}</table>"


def _cell(tag: str, content: str, left: bool) -> str:
    state = next((c for state, c in _CLASSES.items() if content.startswith(state)), "")
    names = " ".join(filter(None, ("text" if left else "", state)))
    return f"<{tag}{f' class={names!r}' if names else ''}>{_text(content)}</{tag}>"


def _text(content: str) -> str:
    return html.escape(visible(content, _LONGEST))


def _image(name: str, drawn: Figure) -> str:
    data = base64.b64encode(style.png(drawn)).decode()
    return f'<p><img alt="{_text(name)}" src="data:image/png;base64,{data}"></p>'


def _page(title: str, parts: Sequence[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f"<title>{_text(title)}</title>\n"
        f"<style>\n{_STYLE}</style></head>\n<body><h1>{_text(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _write(folder: Path, name: str, page: str, text: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.html", folder / f"{name}.md"]
    for file, content in zip(files, (page, text), strict=True):
        file.write_text(content, encoding="utf-8")
    return files
