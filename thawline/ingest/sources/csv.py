"""Read a CSV file with a row per image: path and label, optionally split and group.

Comma, semicolon, tab or |, whichever makes the wanted columns appear; UTF-8 or UTF-16, with or
without a mark. Cells are text: a formula is a strange label, nothing more.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from thawline.errors import UserError
from thawline.ingest.items import Source
from thawline.ingest.tables import csv_rows
from thawline.ingest.tables.columns import Columns
from thawline.ingest.tables.image_files import Peek, is_split
from thawline.ingest.tables.table import Format, Row, read_table
from thawline.runtime.escape import escape

_DELIMITERS = ",;\t|"
_SAMPLE = 65_536


def read(
    path: Path,
    *,
    image: str = "image",
    label: str = "label",
    split: str = "split",
    group: str = "group",
    classes: list[str] | None = None,
) -> Source:
    """Read a CSV file; image paths are relative to its folder and never leave it.

    Args:
        path: the file, or a folder with one or more; give the folder when the images lie in it, so
            that DVC notices a changed image.
        image: name of the column of image paths.
        label: name of the column of labels.
        split: name of the column of splits, which may be missing.
        group: name of the column of groups, which may be missing.
        classes: class names in the order wanted; a label that is not among them is refused. Where
            all labels are whole numbers, the names of 0, 1, and so on.

    Raises:
        UserError: see `read_table`; also text that is not CSV, with its row.
    """
    columns = Columns(image=image, label=label, split=split, group=group)
    return read_table(path, Format(suffix=".csv", rows=_rows, peek=_peek), columns, classes)


def _rows(file: Path, columns: Columns, with_images: bool) -> Iterator[Row]:  # noqa: ARG001
    number = 1
    try:
        with file.open(encoding=_encoding(file), newline="") as text:
            delimiter = _delimiter(text.read(_SAMPLE), columns)
            text.seek(0)
            reader = csv_rows.read(text, delimiter)
            header = [cell.strip() for cell in next(reader, [])]
            found = columns.match(header, repr(escape(file.name)))
            place = {name: position for position, name in enumerate(header)}
            at = [place.get(n) for n in (found.image, found.label, found.split, found.group)]
            for number, cells in enumerate(reader, start=2):
                if cells:
                    yield _row(file, number, cells, at, len(header))
    except UnicodeDecodeError as error:
        raise _refusal(
            file, number + 1, f"or a later one: not UTF-8 text: {error.reason}"
        ) from None
    except csv.Error as error:
        raise _refusal(file, number + 1, f"no CSV: {error}") from None
    except OSError as error:
        raise _refusal(file, number, f"cannot be read: {error.strerror}") from None


def _peek(file: Path, columns: Columns) -> Peek:
    """Read the columns and the rows of the first few kilobytes."""
    try:
        with file.open(encoding=_encoding(file), newline="") as text:
            sample = text.read(_SAMPLE)
            is_whole = not text.read(1)
        table = csv.reader(io.StringIO(sample), delimiter=_delimiter(sample, columns))
        header, *rows = [[cell.strip() for cell in cells] for cells in table if cells] or [[]]
    except (UnicodeDecodeError, csv.Error):  # `_rows` says in which row
        return Peek(columns=columns, has_split=False, like_splits=())
    except OSError as error:
        raise _refusal(file, 1, f"cannot be read: {error.strerror}") from None
    found = columns.match(header, repr(escape(file.name)))
    taken = (found.image, found.label, found.split, found.group)
    columns_of = zip(*_full(rows if is_whole else rows[:-1], len(header)), strict=True)
    like_splits = [
        name
        for name, cells in zip(header, columns_of, strict=False)  # none where there are no rows
        if name not in taken and _are_splits(cells)
    ]
    return Peek(columns=found, has_split=found.split in header, like_splits=like_splits)


def _full(rows: Iterable[list[str]], width: int) -> Iterator[list[str]]:
    return (cells[:width] + [""] * (width - len(cells)) for cells in rows)


def _are_splits(cells: Iterable[str]) -> bool:
    filled = {cell for cell in cells if cell}
    return bool(filled) and all(map(is_split, filled))


def _row(file: Path, number: int, cells: list[str], at: list[int | None], width: int) -> Row:
    if len(cells) > width:
        raise _refusal(file, number, f"{len(cells)} cells where the header has {width}")
    texts = ["" if k is None or k >= len(cells) else cells[k].strip() for k in at]
    return Row(number, *texts)


def _encoding(file: Path) -> str:
    with file.open("rb") as raw:
        head = raw.read(4)
    return "utf-16" if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _delimiter(sample: str, columns: Columns) -> str:
    """Choose the delimiter that makes the wanted columns appear.

    csv.Sniffer guesses from the letters of the text; here the names of the columns are known.
    """
    headers = {mark: _header(sample, mark) for mark in _DELIMITERS}
    for mark, header in headers.items():
        if columns.fit(header):
            return mark
    return max(headers, key=lambda mark: len(headers[mark]))


def _header(sample: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader(io.StringIO(sample), delimiter=delimiter), [])]


def _refusal(file: Path, number: int, problem: str) -> UserError:
    return UserError(f"ingest.path: {escape(file.name)!r} row {number}: {escape(problem)}")
