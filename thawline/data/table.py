"""Images named or held by the rows of a table: what the csv and parquet sources share.

The table is gone through twice, once to check every row and to learn the classes, once for the
images, so a million rows need no memory but 8 bytes each.
"""

import posixpath
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

from thawline.data.candidates import (
    Signature,
    changed,
    check_unchanged,
    locate,
    name_hash,
    repeated,
    signature,
)
from thawline.data.file_marks import FileMarks
from thawline.data.given import SPLIT_NAMES
from thawline.data.items import Item, Reject, Source, shown
from thawline.data.labels import MAX_CLASSES, checked, ordered
from thawline.errors import UserError

_MAX_LABEL = 200
_ALONE = (
    "DVC does not see the images that the table names: a change of one runs nothing; give the "
    "folder of the table as ingest.path"
)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the columns; split and group may be missing under their usual names."""

    image: str
    label: str
    split: str
    group: str

    def check(self, header: Sequence[str], where: str) -> None:
        """Refuse a table without them.

        Raises:
            UserError: a column is missing, or there twice.
        """
        for field in fields(self):
            name = getattr(self, field.name)
            optional = field.name in ("split", "group") and name == field.name
            number = list(header).count(name)
            if number > 1 or (number == 0 and not optional):
                listed = ", ".join(repr(shown(column, 40)) for column in header[:20])
                problem = "is there twice" if number else "is missing"
                raise UserError(
                    f"ingest.options.{field.name}: column {shown(name, 60)!r} {problem} in "
                    f"{where} row 1; its columns: {listed}"
                )


class Row(NamedTuple):
    number: int
    """As a spreadsheet counts: the header is row 1."""
    image: str | bytes | None
    """A path relative to the table's folder, or an encoded image."""
    label: str
    split: str
    group: str


Rows = Callable[[Path, Columns, bool], Iterator[Row]]
"""Yields a file's rows; the flag says whether encoded images are wanted, paths always are."""


def read_table(
    path: Path, suffix: str, rows: Rows, columns: Columns, classes: Sequence[str] | None
) -> Source:
    """A source of the rows of one table, or of all tables of a folder.

    A path that leaves the table's folder is set aside, whatever it names.

    Raises:
        UserError: a missing column; an empty or unknown label, an unknown split or a path that
            occurs twice, with its row.
    """
    files = _files(path, suffix)
    before = {file: signature(file) for file in files}
    known = checked(classes) if classes is not None else None
    listing = _Listing(frozenset(known) if known is not None else None)
    for file in files:
        for row in rows(file, columns, False):
            listing.add(file, row)
    listing.raise_problem()
    _check_paths(listing.hashes, files, rows, columns)
    names = known if known is not None else ordered(listing.labels)
    if len(names) < 2:
        raise UserError(
            f"ingest.path: {shown(path.name)!r} has {len(names)} class(es) in column "
            f"{shown(columns.label, 60)!r}; at least 2 are needed"
        )
    label_of = {name: label for label, name in enumerate(names)}
    marks = FileMarks()
    return Source(
        classes=names,
        items=_items(before, rows, columns, label_of, marks),
        num_items=listing.num_rows,
        remarks=() if path.is_dir() or not listing.hashes else (_ALONE,),
        check_unchanged=lambda: _check_unchanged(path, before, rows, columns, marks),
    )


def _check_unchanged(
    path: Path, before: dict[Path, Signature], rows: Rows, columns: Columns, marks: FileMarks
) -> None:
    """Refuse tables or images that were written to, or removed, since they were read.

    Raises:
        UserError: one was.
    """
    for file, status in before.items():
        check_unchanged(file, status)
    images = (_image(file, row) for file in before for row in rows(file, columns, False))
    if other := marks.first_other(image for image in images if image):
        there = {other.name} if other.exists() else set[str]()
        raise changed(path, {other.name}, there)


def _image(file: Path, row: Row) -> Path | None:
    """The image that a row names, where it names one."""
    return file.parent / posixpath.normpath(row.image) if isinstance(row.image, str) else None


class _Listing:
    """Checks rows; holds the first problem, the labels, and 8 bytes for each path."""

    def __init__(self, known: frozenset[str] | None) -> None:
        self._known = known
        self._problem: str | None = None
        self._num_problems = 0
        self.labels: set[str] = set()
        self.hashes: array[int] = array("Q")
        self.num_rows = 0

    def add(self, file: Path, row: Row) -> None:
        self.num_rows += 1
        self.labels.add(row.label)
        if isinstance(row.image, str):
            self.hashes.append(name_hash(posixpath.normpath(row.image)))
        problem = self._objection(row)
        if problem:
            self._num_problems += 1
            self._problem = self._problem or f"{shown(file.name)!r} row {row.number}: {problem}"

    def _objection(self, row: Row) -> str | None:
        if not row.label:
            return "the label is empty"
        if self._known is not None and row.label not in self._known:
            return f"label {shown(row.label, 60)!r} is not one of ingest.options.classes"
        if len(row.label) > _MAX_LABEL:
            return f"a label of {len(row.label)} characters; at most {_MAX_LABEL}"
        if row.split and row.split.lower() not in SPLIT_NAMES:
            return f"split {shown(row.split, 60)!r} is not one of train, val, test, or empty"
        if row.image == "":
            return "the path is empty"
        if len(self.labels) > MAX_CLASSES:
            self.labels.clear()
            return f"more than {MAX_CLASSES} different labels; is it the right column?"
        return None

    def raise_problem(self) -> None:
        if self._problem:
            more = f" ({self._num_problems} rows like this)" if self._num_problems > 1 else ""
            raise UserError(f"ingest.path: {self._problem}{more}")


def _files(path: Path, suffix: str) -> list[Path]:
    """A folder makes DVC watch the images beside the table, where a file is watched alone."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.glob(f"*{suffix}") if not file.name.startswith("."))
    if not found:
        raise UserError(f"ingest.path: {shown(str(path))!r} has no *{suffix} file")
    return found


def _check_paths(hashes: "array[int]", files: list[Path], rows: Rows, columns: Columns) -> None:
    """Equal hashes are rare; only then the names are compared, in another walk."""
    twice = repeated(hashes)
    first: dict[str, str] = {}
    for file in files if twice else []:
        for row in rows(file, columns, False):
            name = posixpath.normpath(row.image) if isinstance(row.image, str) else ""
            if name and name_hash(name) in twice:
                here = f"{shown(file.name)!r} row {row.number}"
                if name in first:
                    raise UserError(
                        f"ingest.path: {here}: path {shown(name)!r} is in {first[name]} already"
                    )
                first[name] = here


def _items(
    before: dict[Path, Signature],
    rows: Rows,
    columns: Columns,
    label_of: dict[str, int],
    marks: FileMarks,
) -> Iterator[Item | Reject]:
    for file, status in before.items():
        check_unchanged(file, status)
        for row in rows(file, columns, True):
            if image := _image(file, row):
                marks.add(image)
            yield _item(file, row, label_of)
        check_unchanged(file, status)


def _item(file: Path, row: Row, label_of: dict[str, int]) -> Item | Reject:
    payload: Path | bytes
    reason: str | None
    if isinstance(row.image, str):
        name = posixpath.normpath(row.image)
        found = _located(file.parent, name)
        payload, reason = (found, None) if isinstance(found, Path) else (b"", found)
    else:
        name, payload = f"{file.stem}/{row.number:07d}", row.image or b""
        reason = None if row.image else "no image in this row"
    if reason:
        return Reject(name=name, reason=f"row {row.number}: {reason}")
    return Item(
        name=name,
        label=label_of[row.label],
        payload=payload,
        group=row.group or None,
        split=SPLIT_NAMES[row.split.lower()] if row.split else None,
    )


def _located(folder: Path, name: str) -> Path | str:
    """Where the file really lies, or why it is not opened."""
    if name.startswith("/") or name.split("/")[0] == ".." or "\0" in name:
        return "path leads outside of the table's folder"
    return locate(folder, folder / name)
