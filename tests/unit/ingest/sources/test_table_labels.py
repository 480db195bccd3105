"""Labels of tables: text, also where a program would make a number or a gap of them."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.ingest.table_remarks import told
from thawline.errors import UserError
from thawline.ingest.items import Source
from thawline.ingest.sources import csv, parquet


def read(
    folder: Path, kind: str, labels: Sequence[str | int], classes: list[str] | None = None
) -> Source:
    names = [f"{k}.png" for k in range(len(labels))]
    if kind == "csv":
        lines = [f"{name},{label}" for name, label in zip(names, labels, strict=True)]
        (folder / "set.csv").write_text("\n".join(["image,label", *lines]), encoding="utf-8")
        return csv.read(folder / "set.csv", classes=classes)
    pq.write_table(pa.table({"image": names, "label": list(labels)}), folder / "set.parquet")
    return parquet.read(folder / "set.parquet", classes=classes)


def labels_of(source: Source) -> list[str]:
    """Class of each row; the images are not there."""
    return [source.classes[item.label] for item in source.items if item.label is not None]


both = pytest.mark.parametrize("kind", ["csv", "parquet"])


@both
@pytest.mark.parametrize(
    "labels",
    [
        ["NA", "nan", "None", "null", "N/A", "#N/A"],
        ["001", "002", "010"],
        ["true", "FALSE", "yes"],
        ["1e5", "1E5", "0x10", "+1"],
        ["3/4", "2024-01-02", "1,5".replace(",", "·")],
    ],
    ids=str,
)
def test_labels_stay_text(tmp_path: Path, kind: str, labels: list[str]) -> None:
    source = read(tmp_path, kind, labels)
    assert set(source.classes) == set(labels)
    assert labels_of(source) == labels


@both
def test_numbers_are_ordered_by_value(tmp_path: Path, kind: str) -> None:
    assert read(tmp_path, kind, ["10.0", "9.0", "2.0"]).classes == ("2.0", "9.0", "10.0")


@both
def test_two_unicode_forms_are_one_class(tmp_path: Path, kind: str) -> None:
    labels = ["caf\u00e9", "cafe\u0301", "bar"]
    source = read(tmp_path, kind, labels)
    assert source.classes == ("bar", "caf\u00e9")
    assert labels_of(source) == ["caf\u00e9", "caf\u00e9", "bar"]
    named = read(tmp_path, kind, labels, ["cafe\u0301", "bar"])
    assert named.classes == ("caf\u00e9", "bar")


@both
def test_only_two_unicode_forms_are_one_class_too_few(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError, match="at least 2 are needed"):
        read(tmp_path, kind, ["caf\u00e9", "cafe\u0301"])


@both
def test_a_name_of_the_option_without_a_row_is_no_class(tmp_path: Path, kind: str) -> None:
    source = read(tmp_path, kind, ["cat", "dog", "cat"], ["dog", "emu", "cat"])
    assert source.classes == ("dog", "cat")
    assert source.empty_classes == ("emu",)
    assert labels_of(source) == ["cat", "dog", "cat"]


@both
@pytest.mark.parametrize("labels", [["2", "0", "2", "1"], ["2.0", "0.0", "2.0", "1.0"]])
def test_the_option_names_whole_numbers(tmp_path: Path, kind: str, labels: list[str]) -> None:
    source = read(tmp_path, kind, labels, ["ant", "bee", "cat"])
    assert source.classes == ("ant", "bee", "cat")
    assert labels_of(source) == ["cat", "ant", "cat", "bee"]
    assert told(source) == ["labels are numbers, named by ingest.options.classes: 0 is 'ant'"]


def test_the_option_names_whole_numbers_of_a_column_of_numbers(tmp_path: Path) -> None:
    source = read(tmp_path, "parquet", [3, 1, 3], ["ant", "bee", "cat"])
    assert source.classes == ("ant", "cat")
    assert source.empty_classes == ("bee",)
    assert "the labels start at 1" in told(source)[1]


@both
def test_numbers_that_are_names_of_the_option_are_names(tmp_path: Path, kind: str) -> None:
    source = read(tmp_path, kind, ["1", "0", "1"], ["1", "0"])
    assert source.classes == ("1", "0")
    assert labels_of(source) == ["1", "0", "1"]
    assert told(source) == []


@both
@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        (["1", "2", "1"], ["1", "ant"], r"row 3: label '2' is not one of ingest.options.classes"),
        (["1", "x", "x"], ["ant", "bee"], r"row 2: label '1' is not one of .*\(3 rows like this\)"),
        (["0", "5", "1"], ["ant", "bee"], "2 names, but the labels go up to 5; 6 are needed"),
    ],
)
def test_what_the_option_cannot_name_is_refused(
    tmp_path: Path, kind: str, labels: list[str], classes: list[str], expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        read(tmp_path, kind, labels, classes)
