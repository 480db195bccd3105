"""Splits that tables bring: by their names, by a column under another spelling, or unnoticed."""

import csv as plain_csv
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.ingest.table_remarks import told
from thawline.errors import UserError
from thawline.ingest.items import Source
from thawline.ingest.sources import csv, parquet

Table = Sequence[Mapping[str, object]]
Save = Callable[[str, Table], Path]
MODULES = {".csv": csv, ".parquet": parquet}


class Reader:
    """One of the two kinds of tables."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self.folder = folder
        self.suffix = suffix

    def save(self, stem: str, rows: Table) -> Path:
        path = self.folder / f"{stem}{self.suffix}"
        if self.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)
        else:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = plain_csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        return path

    def read(self, path: Path | None = None, **options: object) -> Source:
        return MODULES[self.suffix].read(path or self.folder, **options)  # type: ignore[attr-defined, no-any-return]


@pytest.fixture(params=MODULES)
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Reader:
    return Reader(tmp_path, request.param)


def rows(prefix: str, count: int = 4, **more: object) -> list[dict[str, object]]:
    """Images that are not there: where they lie is of no interest here."""
    return [
        {"image": f"{prefix}{k}.png", "label": ("ant", "bee")[k % 2], **more} for k in range(count)
    ]


def splits(source: Source, monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    from thawline.ingest.tables.paths import TablePaths

    monkeypatch.setattr(TablePaths, "find", lambda _, text: (text, Path(text)))
    return {item.name: item.split for item in source.items}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "stems",
    [
        {"train": "train", "valid": "val", "test": "test"},
        {"train-00000-of-00002": "train", "train-00001-of-00002": "train", "test-0": "test"},
        {"labels_training": "train", "labels_dev": "val"},
        {"Train": "train", "my set.Test": "test"},
    ],
    ids=str,
)
def test_names_of_tables_are_splits(
    tables: Reader, stems: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for stem in stems:
        tables.save(stem, rows(f"{stem}/"))
    source = tables.read()
    assert any(line.startswith("all rows of ") and " are train" in line for line in source.remarks)
    found = splits(source, monkeypatch)
    assert {name.split("/")[0]: split for name, split in found.items()} == stems


def test_tables_of_splits_beside_others_are_refused(tables: Reader) -> None:
    for stem in ("train", "test", "extra"):
        tables.save(stem, rows(stem))
    with pytest.raises(UserError, match=r"\('test.*', 'train.*'\) beside 'extra"):
        tables.read()


@pytest.mark.parametrize("stems", [("train", "extra"), ("val", "test")])
def test_names_that_are_not_taken_for_splits_are_told(
    tables: Reader, stems: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for stem in stems:
        tables.save(stem, rows(stem))
    source = tables.read()
    assert ["not taken for a split" in line for line in source.remarks] == [True]
    assert set(splits(source, monkeypatch).values()) == {None}


def test_a_table_that_is_no_file_is_not_opened(tables: Reader) -> None:
    """Opening a FIFO would wait for ever."""
    tables.save("train", rows("x"))
    os.mkfifo(tables.folder / f"test{tables.suffix}")
    with pytest.raises(UserError, match="is not a regular file"):
        tables.read()


@pytest.mark.parametrize("stems", [("a", "b"), ("train",), ("train-0", "train-1")])
def test_other_names_say_nothing(tables: Reader, stems: tuple[str, ...]) -> None:
    for stem in stems:
        tables.save(stem, rows(stem))
    assert list(tables.read().remarks) == []


def test_a_column_of_splits_counts_more_than_the_name(
    tables: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.save("train", rows("x", split="test"))
    tables.save("test", rows("y", split=""))
    found = splits(tables.read(), monkeypatch)
    assert {name[0]: split for name, split in found.items()} == {"x": "test", "y": None}


@pytest.mark.parametrize("name", ["Split", "SPLIT", " split "])
def test_a_column_that_differs_by_case_is_meant(
    tables: Reader, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [{"Image": row["image"], "LABEL": row["label"], name: "test"} for row in rows("x")]
    source = tables.read(tables.save("set", held))
    assert set(splits(source, monkeypatch).values()) == {"test"}
    assert "column 'Image' is taken for 'image' (ingest.options.image)" in source.remarks


def test_two_columns_that_differ_by_case_are_asked_about(tables: Reader) -> None:
    path = tables.save("set", rows("x", Split="train", SPLIT="test"))
    with pytest.raises(UserError, match=r"ingest.options.split: column 'split' is there twice"):
        tables.read(path)
    assert tables.read(path, split="SPLIT").num_items == 4
    exact = tables.save("exact", rows("x", split="train", SPLIT="other"))
    assert told(tables.read(exact)) == []


@pytest.mark.parametrize("name", ["subset", "fold", "Usage"])
def test_a_column_that_looks_like_splits_is_told(
    tables: Reader, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [
        {**row, name: ("train", "valid", "Test")[k % 3], "who": "me"}
        for k, row in enumerate(rows("x", 12))
    ]
    path = tables.save("set", held)
    (line,) = told(tables.read(path))
    assert line.startswith(f"column {name!r} of 'set")
    assert f"set ingest.options.split to {name!r}" in line
    source = tables.read(path, split=name)
    assert told(source) == []
    assert set(splits(source, monkeypatch).values()) == {"train", "val", "test"}


def test_a_column_of_something_else_is_not_told(tables: Reader) -> None:
    held = [{**row, "kind": ("train", "bus")[k % 2]} for k, row in enumerate(rows("x", 12))]
    assert told(tables.read(tables.save("set", held))) == []


def test_a_test_table_without_labels_has_a_way_through(tables: Reader) -> None:
    train = tables.save("train", rows("a", 8))
    tables.save("test", [{"image": "t.png", "id": 1}])
    with pytest.raises(
        UserError, match=r"'label' is missing in 'test\..*give the one that has as ingest\.path"
    ):
        tables.read()
    assert tables.read(train).classes == ("ant", "bee")
