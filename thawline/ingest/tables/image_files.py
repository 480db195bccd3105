"""List the files of a set of tables, and the splits given by their names or columns."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from thawline.errors import UserError
from thawline.ingest.files.file_filter import Signature, signature
from thawline.ingest.splits.predefined_splits import SPLIT_NAMES, split_named
from thawline.ingest.tables.columns import Columns
from thawline.runtime.escape import escape


@dataclass(frozen=True, kw_only=True)
class Peek:
    """Properties of a table, seen at its beginning.

    Attributes:
        columns: names of the columns as they are written there.
        has_split: True where the column of splits is there.
        like_splits: other columns that hold nothing but names of splits, as far as was read.
    """

    columns: Columns
    has_split: bool
    like_splits: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The tables of a source.

    Attributes:
        files: each file with the split that its name gives to all of its rows, or None.
        before: signature of each file before it was opened.
        remarks: lines for the user.
    """

    files: dict[Path, str | None]
    before: dict[Path, Signature]
    remarks: list[str] = field(default_factory=list)


def find(
    path: Path, suffix: str, peek: Callable[[Path, Columns], Peek], columns: Columns
) -> Tables:
    """List one table or all tables of a folder, and decide whether their names are splits.

    They are, as folders are, where `train` and `val` or `test` are among them and no table has a
    column of splits: train.csv and test.csv, or train-00000-of-00002.parquet.

    Raises:
        UserError: a folder without a table, tables of splits beside others, or a missing column.
    """
    before = {file: signature(file) for file in _listed(path, suffix)}
    files = list(before)
    first = peek(files[0], columns)
    remarks = columns.renamed(first.columns)
    named = {file: _split_of(file.stem) for file in files}
    if len(files) == 1 or not any(named.values()):
        return Tables(
            files=dict.fromkeys(files), before=before, remarks=remarks + _unused(files[0], first)
        )
    if any(peek(file, columns).has_split for file in files):
        return Tables(files=dict.fromkeys(files), before=before, remarks=remarks)
    splits = {split for split in named.values() if split}
    others = [file for file, split in named.items() if split is None]
    if "train" in splits and len(splits) > 1:
        if others:
            raise UserError(
                f"ingest.path: {escape(str(path))!r} has tables of splits "
                f"({_names(f for f in files if named[f])}) beside {_names(others)}; expected "
                "tables of splits alone, other names, or a column 'split' in every table"
            )
        for split in sorted(splits):
            held = _names(file for file in files if named[file] == split)
            remarks.append(f"all rows of {held} are {split}, by the name of the table")
        return Tables(files=named, before=before, remarks=remarks)
    if splits != {"train"} or others:
        remarks.append(
            f"{_names(f for f in files if named[f])}: not taken for a split, which takes tables "
            "for train and for val or test"
        )
    return Tables(
        files=dict.fromkeys(files), before=before, remarks=remarks + _unused(files[0], first)
    )


def is_split(text: str) -> bool:
    """Return True where a cell names a split."""
    return text.strip().lower() in SPLIT_NAMES


def _listed(path: Path, suffix: str) -> list[Path]:
    """List the tables of a path, which is one table or a folder of them.

    A folder makes DVC watch the images beside the table, where a file is watched alone.
    """
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.glob(f"*{suffix}") if not file.name.startswith("."))
    if not found:
        raise UserError(f"ingest.path: {escape(str(path))!r} has no *{suffix} file")
    return found


def _split_of(stem: str) -> str | None:
    """Return the only split among the words of a table's name, or None."""
    if read := split_named(stem):
        return read[0]
    words = (stem.lower(), *re.split(r"[-_. ]+", stem.lower()))
    found = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
    return found.pop() if len(found) == 1 else None


def _unused(file: Path, peek: Peek) -> list[str]:
    if peek.has_split or not peek.like_splits:
        return []
    column = escape(peek.like_splits[0], 60)
    return [
        f"column {column!r} of {escape(file.name)!r} looks like splits and is not used; to keep "
        f"them, set ingest.options.split to {column!r}"
    ]


def _names(files: Iterable[Path]) -> str:
    names = [repr(escape(file.name, 40)) for file in files]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
