"""The place in a report for what only `thawline publish` knows: better than the champion or not."""

START, END = "<!-- gate -->", "<!-- /gate -->"
FOLDER = "reports/publish"
_WHERE = f"is decided when it is published; the copy in {FOLDER} says so"
HTML = f'{START}<p class="budget none">Whether it replaces the champion {_WHERE}.</p>{END}'
MARKDOWN = f"{START}Whether it replaces the champion {_WHERE}.{END}"


def fill(report: str, line: str) -> str:
    """The report with a line in that place; unchanged where it has none.

    Names of strangers cannot hold the marks: reports write `<` of theirs as a reference.

    Args:
        line: in the report's own language, HTML or Markdown.
    """
    before, start, rest = report.partition(START)
    _, end, after = rest.partition(END)
    return f"{before}{start}{line}{end}{after}" if end else report
