"""Read Parquet tables of a stage without pandas, whose import takes a process 0.3 s.

pyarrow loads it in `read_table`, `to_numpy` and wherever it makes an array.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def read(path: Path) -> pa.Table:
    """Read a whole table.

    Raises:
        pa.ArrowException: the file is damaged, or no Parquet file.
        OSError: it cannot be read.
    """
    with pq.ParquetFile(path) as file:
        return file.read()


def integers(table: pa.Table, name: str) -> np.ndarray:
    """Read a column as int64 (N,).

    Raises:
        KeyError: there is no such column.
        TypeError: it has gaps, or holds something else than integers.
    """
    column = table.column(name).combine_chunks()
    if not pa.types.is_integer(column.type):
        raise TypeError(f"{name} holds {column.type}, not integers")
    return np.from_dlpack(column).astype(np.int64)
