"""Parquet files with a row per image: path or encoded bytes, label, optionally split and group.

The image column holds text (a path), bytes, or a struct of both as the library `datasets` has it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from thawline.data.items import Source, shown
from thawline.data.table import Format, Row, read_table
from thawline.data.table_columns import Columns
from thawline.data.table_files import Peek, is_split
from thawline.errors import UserError

_ROWS_WITH_IMAGES = 64
_ROWS = 16_384
_BUFFER_BYTES = 2**20
"""Without it a column of a whole row group is read at once."""
_GROUPS = 100
"""Columns, and groups of rows, that are looked at for splits that nobody named."""


def read(
    path: Path,
    *,
    image: str = "image",
    label: str = "label",
    split: str = "split",
    group: str = "group",
    classes: list[str] | None = None,
) -> Source:
    """Paths are relative to the file's folder and never leave it.

    Args:
        path: the file, or a folder with one or more.
        image, label, split, group: names of the columns; the last two may be missing.
        classes: class names in the order wanted; a label that is not among them is refused. Where
            all labels are whole numbers, the names of 0, 1, and so on.

    Raises:
        UserError: see `read_table`; also a file that is no parquet, or a column of another type.
    """
    columns = Columns(image=image, label=label, split=split, group=group)
    return read_table(path, Format(suffix=".parquet", rows=_rows, peek=_peek), columns, classes)


def _rows(file: Path, columns: Columns, with_images: bool) -> Iterator[Row]:
    try:
        with pq.ParquetFile(file, buffer_size=_BUFFER_BYTES) as table:
            found = columns.match(table.schema_arrow.names, repr(shown(file.name)))
            _check_types(file, table.schema_arrow, found)
            yield from _read(table, found, with_images)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(file, error) from None


def _peek(file: Path, columns: Columns) -> Peek:
    """Look at the columns, and at the least and greatest of their values; read no row."""
    try:
        with pq.ParquetFile(file, buffer_size=_BUFFER_BYTES) as table:
            names = table.schema_arrow.names
            found = columns.match(names, repr(shown(file.name)))
            taken = (found.image, found.label, found.split, found.group)
            ends = _ends(table.metadata)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(file, error) from None
    like_splits = [
        name
        for name in names
        if name not in taken and ends.get(name) and all(map(is_split, ends[name]))
    ]
    return Peek(columns=found, has_split=found.split in names, like_splits=like_splits)


def _ends(metadata: pq.FileMetaData) -> dict[str, set[str]]:
    """Least and greatest text of the first groups of rows, by column, where the file has them."""
    found: dict[str, set[str]] = {}
    for group in range(min(metadata.num_row_groups, _GROUPS)):
        for number in range(min(metadata.num_columns, _GROUPS)):
            column = metadata.row_group(group).column(number)
            statistics = column.statistics
            if statistics and statistics.has_min_max and isinstance(statistics.min, str):
                found.setdefault(column.path_in_schema, set()).update(
                    (statistics.min, statistics.max)
                )
    return found


def _read(table: pq.ParquetFile, columns: Columns, with_images: bool) -> Iterator[Row]:
    schema = table.schema_arrow
    is_path = _is_text(_plain(schema.field(columns.image).type))
    names = [columns.label, *(n for n in (columns.split, columns.group) if n in schema.names)]
    if with_images or is_path:
        names.append(columns.image)
    number = 2
    size = _ROWS if is_path or not with_images else _ROWS_WITH_IMAGES
    for batch in table.iter_batches(batch_size=size, columns=names):
        for cells in batch.to_pylist():
            texts = (cells.get(n) for n in (columns.label, columns.split, columns.group))
            label, split, group = ("" if t is None else str(t).strip() for t in texts)
            yield Row(number, _image(cells.get(columns.image), is_path), label, split, group)
            number += 1


def _image(cell: Any, is_path: bool) -> str | bytes | None:
    if isinstance(cell, dict):
        cell = cell.get("bytes")
    return (cell or "") if is_path else cell


def _check_types(file: Path, schema: pa.Schema, columns: Columns) -> None:
    image, label = schema.field(columns.image).type, schema.field(columns.label).type
    plain = _plain(image)
    if not (_is_text(plain) or pa.types.is_binary(plain) or pa.types.is_large_binary(plain)):
        raise _refusal(
            file, "image", columns.image, image, "paths (text) or encoded images (bytes)"
        )
    if not (_is_text(_plain(label)) or pa.types.is_integer(_plain(label))):
        raise _refusal(file, "label", columns.label, label, "text or whole numbers")


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type of the values below a dictionary, and of `bytes` in a struct."""
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _unreadable(file: Path, error: Exception) -> UserError:
    problem = " ".join(str(error).split())
    return UserError(f"ingest.path: {shown(file.name)!r}: {shown(problem, 300)}")


def _refusal(file: Path, option: str, name: str, kind: pa.DataType, wanted: str) -> UserError:
    return UserError(
        f"ingest.options.{option}: column {shown(name, 60)!r} of {shown(file.name)!r} is "
        f"{shown(str(kind), 60)}; expected {wanted}"
    )
