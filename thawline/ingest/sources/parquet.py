"""Read Parquet files with a row per image: path or encoded bytes, label, maybe split and group.

The image column holds text (a path), bytes, or a struct of both as the library `datasets` has it.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from thawline.errors import UserError
from thawline.ingest.files.archive_reader import MAX_EXPANSION, MAX_MEMBER_BYTES
from thawline.ingest.items import Source
from thawline.ingest.tables import parquet_footer
from thawline.ingest.tables.columns import Columns
from thawline.ingest.tables.image_files import Peek, is_split
from thawline.ingest.tables.parquet_footer import Chunk
from thawline.ingest.tables.table import Format, Row, read_table
from thawline.runtime.escape import escape

_ROWS_WITH_IMAGES = 64
_ROWS = 16_384
_BATCH_BYTES = 2**26
"""Bytes of the values of a batch, as the file's footer counts them."""
MAX_TEXT_BYTES = 4096
MAX_IMAGE_BYTES = MAX_MEMBER_BYTES
"""Of one value: a path, label, split or group; an encoded image."""
_MIN_CHUNK_BYTES = 2**28
"""A column of a row group may unpack to so much, or to MAX_EXPANSION times its size."""
_BUFFER_BYTES = 2**20
"""Without it a column of a whole row group is read at once."""
_DAMAGE = (pa.ArrowException, OSError, ValueError)
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
    """Read a Parquet file; image paths are relative to its folder and never leave it.

    Args:
        path: the file, or a folder with one or more.
        image: name of the column of image paths or encoded images.
        label: name of the column of labels.
        split: name of the column of splits, which may be missing.
        group: name of the column of groups, which may be missing.
        classes: class names in the order wanted; a label that is not among them is refused. Where
            all labels are whole numbers, the names of 0, 1, and so on.

    Raises:
        UserError: see `read_table`; also a file that is no Parquet, or a column of another type.
    """
    columns = Columns(image=image, label=label, split=split, group=group)
    return read_table(path, Format(suffix=".parquet", rows=_rows, peek=_peek), columns, classes)


def _rows(file: Path, columns: Columns, with_images: bool) -> Iterator[Row]:
    try:
        with pq.ParquetFile(file) as table:
            found = columns.match(table.schema_arrow.names, repr(escape(file.name)))
            _check_types(file, table.schema_arrow, found)
            leaves = _leaves(table.schema_arrow, found)
        # A value that is repeated a thousand times is held once.
        with pq.ParquetFile(file, buffer_size=_BUFFER_BYTES, read_dictionary=leaves) as table:
            yield from _read(file, table, found, with_images)
    except _DAMAGE as error:
        raise _unreadable(file, error) from None


def _peek(file: Path, columns: Columns) -> Peek:
    """Read the columns, and the smallest and largest of their values; read no row."""
    try:
        with pq.ParquetFile(file, buffer_size=_BUFFER_BYTES) as table:
            names = table.schema_arrow.names
            found = columns.match(names, repr(escape(file.name)))
            taken = (found.image, found.label, found.split, found.group)
            ends = _ends(parquet_footer.read(file), table.schema_arrow)
    except _DAMAGE as error:
        raise _unreadable(file, error) from None
    like_splits = [
        name
        for name in names
        if name not in taken and ends.get(name) and all(map(is_split, ends[name]))
    ]
    return Peek(columns=found, has_split=found.split in names, like_splits=like_splits)


def _ends(groups: list[list[Chunk]], schema: pa.Schema) -> dict[str, set[str]]:
    """Collect the smallest and largest text of the first row groups, by column."""
    texts = {name for name in schema.names if _is_text(_plain(schema.field(name).type))}
    found: dict[str, set[str]] = {}
    for chunk in (chunk for group in groups[:_GROUPS] for chunk in group[:_GROUPS]):
        if chunk.name in texts and len(chunk.ends) == 2:
            words = (end.decode(errors="replace") for end in chunk.ends)
            found.setdefault(chunk.name, set()).update(words)
    return found


def _read(file: Path, table: pq.ParquetFile, columns: Columns, with_images: bool) -> Iterator[Row]:
    schema = table.schema_arrow
    is_path = _is_text(_plain(schema.field(columns.image).type))
    texts = [columns.label, *(n for n in (columns.split, columns.group) if n in schema.names)]
    names = [*texts, columns.image] if with_images or is_path else texts
    size = _ROWS if is_path or not with_images else _ROWS_WITH_IMAGES
    number, groups = 2, parquet_footer.read(file)
    if len(groups) != table.num_row_groups:
        raise ValueError("its footer is damaged")
    for group in range(table.num_row_groups):
        held_rows = table.metadata.row_group(group).num_rows
        rows = _rows_at_a_time(file, groups[group], held_rows, names, size)
        for batch in table.iter_batches(batch_size=rows, row_groups=[group], columns=names):
            images = _images(batch, columns.image) if columns.image in names else None
            for name in texts:
                _check_values(file, number, name, batch.column(name), MAX_TEXT_BYTES)
            if images is not None:
                limit = MAX_TEXT_BYTES if is_path else MAX_IMAGE_BYTES
                _check_values(file, number, columns.image, images, limit)
            held = {name: batch.column(name).to_pylist() for name in texts}
            for row in range(batch.num_rows):
                cells = (held[n][row] if n in held else None for n in _texts(columns))
                label, split, grouped = ("" if t is None else str(t).strip() for t in cells)
                # One by one: of a dictionary each would be a copy.
                image = None if images is None else images[row].as_py()
                yield Row(number, (image or "") if is_path else image, label, split, grouped)
                number += 1


def _texts(columns: Columns) -> tuple[str, str, str]:
    return columns.label, columns.split, columns.group


def _images(batch: pa.RecordBatch, name: str) -> pa.Array:
    """Return the paths or encoded images of a batch, also from a struct."""
    column = batch.column(name)
    if pa.types.is_struct(column.type):
        return column.flatten()[column.type.get_field_index("bytes")]
    return column


def _rows_at_a_time(
    file: Path, group: list[Chunk], num_rows: int, names: list[str], most: int
) -> int:
    """Choose how many rows take _BATCH_BYTES by the file's footer, at most `most`."""
    total = 0
    for chunk in group:
        if chunk.name in names:
            total += chunk.unpacked
            _check_chunk(file, chunk)
    fitting = _BATCH_BYTES * num_rows // max(1, total)
    return max(1, min(most, fitting))


def _check_chunk(file: Path, chunk: Chunk) -> None:
    if chunk.unpacked > max(_MIN_CHUNK_BYTES, MAX_EXPANSION * chunk.packed):
        raise UserError(
            f"ingest.path: {escape(file.name)!r}: column {escape(chunk.name, 60)!r} expands from "
            f"{chunk.packed} to {chunk.unpacked} bytes; at most {MAX_EXPANSION} times"
        )


def check_expansion(file: Path) -> None:
    """Check the footer of a file that another library is to read.

    Raises:
        UserError: damaged, or a column unpacks to far more than it takes.
    """
    try:
        for group in parquet_footer.read(file):
            for chunk in group:
                _check_chunk(file, chunk)
    except _DAMAGE as error:
        raise _unreadable(file, error) from None


def _check_values(file: Path, number: int, name: str, values: pa.Array, limit: int) -> None:
    """Refuse a value that is too long before it is copied.

    Args:
        file: the file, for the message.
        number: number of the batch's first row.
        name: name of the column.
        values: the batch's values.
        limit: longest allowed value, bytes.
    """
    held = values.dictionary if isinstance(values, pa.DictionaryArray) else values
    if not (_is_text(held.type) or pa.types.is_binary(held.type) or _is_large(held.type)):
        return
    longest = pc.max(pc.binary_length(held)).as_py() or 0
    if longest > limit:
        raise UserError(
            f"ingest.path: {escape(file.name)!r}: row {number} or one of the next "
            f"{len(values) - 1}: column {escape(name, 60)!r} has a value of {longest} bytes; at "
            f"most {limit}"
        )


def _leaves(schema: pa.Schema, columns: Columns) -> list[str]:
    """List the paths of the columns of texts and bytes, as the file has them."""
    found = []
    for name in (columns.image, *_texts(columns)):
        if name in schema.names:
            kind = schema.field(name).type
            inner = f"{name}.bytes" if pa.types.is_struct(kind) else name
            plain = _plain(kind)
            if _is_text(plain) or pa.types.is_binary(plain) or _is_large(plain):
                found.append(inner)
    return found


def _is_large(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_binary(kind))


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
    """Return the type of the values below a dictionary, and of `bytes` in a struct."""
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _unreadable(file: Path, error: Exception) -> UserError:
    problem = " ".join(str(error).split())
    return UserError(f"ingest.path: {escape(file.name)!r}: {escape(problem, 300)}")


def _refusal(file: Path, option: str, name: str, kind: pa.DataType, wanted: str) -> UserError:
    return UserError(
        f"ingest.options.{option}: column {escape(name, 60)!r} of {escape(file.name)!r} is "
        f"{escape(str(kind), 60)}; expected {wanted}"
    )
