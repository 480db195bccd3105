"""Fill the place in a report for the gate's decision, which `thawline publish` knows."""

START, END = "<!-- gate -->", "<!-- /gate -->"
FOLDER = "reports/publish"
_WHERE = f"is decided when it is published; see the copy in {FOLDER}"
HTML = f'{START}<p class="budget none">Whether it replaces the champion {_WHERE}.</p>{END}'
MARKDOWN = f"{START}Whether it replaces the champion {_WHERE}.{END}"


def fill(report: str, line: str) -> str:
    """Insert a line into that place of a report; unchanged where the report has no such place.

    Names of strangers cannot hold the marks: reports write `<` of theirs as a reference.

    Args:
        report: HTML or Markdown text.
        line: the line, in the same language.
    """
    before, start, rest = report.partition(START)
    _, end, after = rest.partition(END)
    return f"{before}{start}{line}{end}{after}" if end else report
