"""Read images named or held by the rows of a table, for the csv and parquet sources.

The table is gone through twice, once to check every row and to learn the classes, once for the
images, so a million rows need no memory but 8 bytes each.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from thawline.errors import UserError
from thawline.ingest.files.file_filter import (
    Signature,
    changed,
    check_unchanged,
    name_hash,
    repeated,
)
from thawline.ingest.files.file_marks import FileMarks
from thawline.ingest.items import Item, Reject, Source
from thawline.ingest.labels.class_names import canonical
from thawline.ingest.labels.labels import MAX_CLASSES
from thawline.ingest.splits.predefined_splits import SPLIT_NAMES
from thawline.ingest.tables import image_files
from thawline.ingest.tables.columns import Columns
from thawline.ingest.tables.image_files import Peek, is_split
from thawline.ingest.tables.labels import SeenLabel, find_classes, like_this
from thawline.ingest.tables.paths import TablePaths
from thawline.runtime.escape import escape

_MAX_LABEL = 200
_ALONE = (
    "DVC does not see the images that the table names: a change of one runs nothing; give the "
    "folder of the table as ingest.path"
)


class Row(NamedTuple):
    """A row of a table, with texts stripped of blanks."""

    number: int
    """Row number as in a spreadsheet: the header is row 1."""
    image: str | bytes | None
    """A path relative to the table's folder, or an encoded image."""
    label: str
    split: str
    group: str


@dataclass(frozen=True, kw_only=True)
class Format:
    """Reader of tables of one kind.

    Attributes:
        suffix: suffix of the files.
        rows: yields a file's rows; the flag says whether encoded images are wanted, paths always
            are.
        peek: reads the columns, and few or no rows.
    """

    suffix: str
    rows: Callable[[Path, Columns, bool], Iterator[Row]]
    peek: Callable[[Path, Columns], Peek]


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """State that the second walk needs."""

    files: Mapping[Path, str | None]
    before: Mapping[Path, Signature]
    format: Format
    columns: Columns
    paths: TablePaths
    label_of: Mapping[str, int]
    marks: FileMarks


def read_table(
    path: Path, format_: Format, columns: Columns, classes: Sequence[str] | None
) -> Source:
    """Read the rows of one table, or of all tables of a folder.

    A path that leaves the table's folder is set aside, whatever it names. A class of the option
    without a row is no class. Where all labels are whole numbers and not among the names of the
    option, these name the numbers, as in npz and idx.

    Raises:
        UserError: a missing column; an empty or unknown label, an unknown split or a path that
            occurs twice, with its row; tables of splits beside others.
    """
    tables = image_files.find(path, format_.suffix, format_.peek, columns)
    files = list(tables.files)
    paths = TablePaths(files[0].parent)
    listing = _RowListing(paths)
    for file in files:
        for row in format_.rows(file, columns, False):
            listing.add(file, row)
    listing.raise_problem()
    _check_paths(listing.hashes, files, format_, columns, paths)
    if len({canonical(label) for label in listing.labels}) < 2:
        raise UserError(
            f"ingest.path: {escape(path.name)!r} has {len(listing.labels)} class(es) in column "
            f"{escape(columns.label, 60)!r}; at least 2 are needed"
        )
    found = find_classes(listing.labels, classes)
    remarks = [*tables.remarks, *found.remarks]
    if listing.hashes and not path.is_dir():
        remarks.append(_ALONE)
    reading = _Reading(
        files=tables.files,
        before=tables.before,
        format=format_,
        columns=columns,
        paths=paths,
        label_of=found.label_of,
        marks=FileMarks(),
    )
    return Source(
        classes=found.classes,
        items=_items(reading, remarks),
        num_items=listing.num_rows,
        empty_classes=found.absent,
        remarks=remarks,
        check_unchanged=lambda: _check_unchanged(path, reading),
    )


def _check_unchanged(path: Path, reading: _Reading) -> None:
    """Refuse tables or images that changed or disappeared since they were read.

    Raises:
        UserError: one did.
    """
    for file, status in reading.before.items():
        check_unchanged(file, status)
    if other := reading.marks.first_other(_images(reading)):
        there = {other.name} if other.exists() else set[str]()
        raise changed(path, {other.name}, there)


def _images(reading: _Reading) -> Iterator[Path]:
    """Yield the images that rows name, in the order in which they were marked."""
    for file in reading.files:
        for row in reading.format.rows(file, reading.columns, False):
            if isinstance(row.image, str):
                yield file.parent / reading.paths.name(row.image)


class _RowListing:
    """Checker of rows; holds the first problem, the labels, and 8 bytes for each path."""

    def __init__(self, paths: TablePaths) -> None:
        self._problem: str | None = None
        self._num_problems = 0
        self.labels: dict[str, SeenLabel] = {}
        self._key = paths.key
        self.hashes: array[int] = array("Q")
        self.num_rows = 0

    def add(self, file: Path, row: Row) -> None:
        self.num_rows += 1
        try:
            seen = self.labels[row.label]
            seen.num_rows += 1
        except KeyError:
            seen = SeenLabel(_where(file, row), self._label_problem(row.label))
            self.labels[row.label] = seen
        if isinstance(row.image, str):
            self.hashes.append(name_hash(self._key(row.image)))
        if problem := seen.problem or _problem(row):
            self._num_problems += 1
            self._problem = self._problem or f"{_where(file, row)}: {problem}"

    def _label_problem(self, label: str) -> str | None:
        if not label:
            return "the label is empty"
        if len(label) > _MAX_LABEL:
            return f"a label of {len(label)} characters; at most {_MAX_LABEL}"
        if len(self.labels) >= MAX_CLASSES:
            self.labels.clear()
            return f"more than {MAX_CLASSES} different labels; is it the right column?"
        return None

    def raise_problem(self) -> None:
        if self._problem:
            raise UserError(f"ingest.path: {self._problem}{like_this(self._num_problems)}")


def _problem(row: Row) -> str | None:
    if row.split and not is_split(row.split):
        return f"split {escape(row.split, 60)!r} is not one of train, val, test, or empty"
    return "the path is empty" if row.image == "" else None


def _where(file: Path, row: Row) -> str:
    return f"{escape(file.name)!r} row {row.number}"


def _check_paths(
    hashes: "array[int]", files: list[Path], format_: Format, columns: Columns, paths: TablePaths
) -> None:
    """Refuse a path that occurs twice.

    Equal hashes are rare; only then the files are compared, in another walk.
    """
    twice = repeated(hashes)
    first: dict[str, str] = {}
    for file in files if twice else []:
        for row in format_.rows(file, columns, False):
            key = paths.key(row.image) if isinstance(row.image, str) else ""
            if key and name_hash(key) in twice:
                name, _ = paths.find(str(row.image))
                if name in first:
                    raise UserError(
                        f"ingest.path: {_where(file, row)}: path {escape(name)!r} is in "
                        f"{first[name]} already"
                    )
                first[name] = _where(file, row)
    paths.forget()


def _items(reading: _Reading, remarks: list[str]) -> Iterator[Item | Reject]:
    for file, split in reading.files.items():
        check_unchanged(file, reading.before[file])
        for row in reading.format.rows(file, reading.columns, True):
            yield _item(reading, file, row, split)
        check_unchanged(file, reading.before[file])
    remarks += reading.paths.remarks()


def _item(reading: _Reading, file: Path, row: Row, split: str | None) -> Item | Reject:
    payload: Path | bytes
    label = reading.label_of[row.label]
    reason: str | None
    if isinstance(row.image, str):
        name, found = reading.paths.find(row.image)
        reading.marks.add(file.parent / name)
        payload, reason = (found, None) if isinstance(found, Path) else (b"", found)
    else:
        name, payload = f"{file.stem}/{row.number:07d}", row.image or b""
        reason = None if row.image else "no image in this row"
    if reason:
        return Reject(name=name, reason=f"row {row.number}: {reason}", label=label)
    return Item(
        name=name,
        label=label,
        payload=payload,
        group=row.group or None,
        split=SPLIT_NAMES[row.split.lower()] if row.split else split,
    )
