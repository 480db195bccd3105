"""Tables between the stages."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thawline.dataset import stored_table


def test_integers_of_a_table_in_many_row_groups(tmp_path: Path) -> None:
    numbers = np.arange(100, dtype=np.int32)
    pq.write_table(pa.table({"a": numbers}), tmp_path / "t.parquet", row_group_size=7)
    found = stored_table.integers(stored_table.read(tmp_path / "t.parquet"), "a")
    assert found.dtype == np.int64
    assert found.tolist() == numbers.tolist()
    found[0] = 1  # its own memory


@pytest.mark.parametrize("column", [[1, None], ["a"], [1.5], [None]])
def test_another_table_is_refused(column: list[object]) -> None:
    with pytest.raises(TypeError):
        stored_table.integers(pa.table({"a": pa.array(column)}), "a")


def test_reading_loads_no_pandas(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "t.parquet")
    code = (
        "import sys; from pathlib import Path; from thawline.dataset import stored_table as s;"
        "s.integers(s.read(Path(sys.argv[1])), 'a'); sys.exit('pandas' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "t.parquet")], check=True)
