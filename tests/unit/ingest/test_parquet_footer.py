"""Footers of Parquet files, whole and damaged."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thawline.ingest.tables import parquet_footer

OPTIONS = ({}, {"compression": "zstd"}, {"write_statistics": False}, {"data_page_version": "2.0"})


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_footer_is_read_as_pyarrow_reads_it(tmp_path: Path, options: dict[str, str]) -> None:
    held = {
        "image": [{"bytes": bytes(k), "path": "x"} for k in range(20)],
        "label": [f"{k % 7}" for k in range(20)],
        "number": list(range(20)),
        "flag": [True] * 20,
    }
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(held), path, row_group_size=7, **options)
    metadata, groups = pq.read_metadata(path), parquet_footer.read(path)
    assert len(groups) == metadata.num_row_groups == 3
    for group, chunks in enumerate(groups):
        columns = [metadata.row_group(group).column(k) for k in range(metadata.num_columns)]
        for chunk, column in zip(chunks, columns, strict=True):
            assert chunk.name == column.path_in_schema.split(".")[0]
            sizes = column.total_compressed_size, column.total_uncompressed_size
            assert (chunk.packed, chunk.unpacked) == sizes
        ends = {end.decode() for end in chunks[2].ends}
        known = columns[2].statistics
        assert ends == ({known.min, known.max} if known else set())


def test_a_footer_that_is_damaged(tmp_path: Path) -> None:
    path, chance = tmp_path / "t.parquet", random.Random(0)
    pq.write_table(pa.table({"image": ["a"], "label": ["b"]}), path)
    whole = path.read_bytes()
    num_refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole) - 400, len(whole))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            parquet_footer.read(path)
        except ValueError:
            num_refused += 1
    assert num_refused > 20
    for damaged in (b"", b"PAR1", whole[:-8] + b"\xff\xff\xff\x7fPAR1"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"Parquet|footer"):
            parquet_footer.read(path)
