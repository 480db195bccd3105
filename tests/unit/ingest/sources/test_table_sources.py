"""CSV and parquet tables of images, and what spreadsheets do to them."""

import csv as plain_csv
import os
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thawline.errors import UserError
from thawline.ingest.items import Item, Reject, Source
from thawline.ingest.packing.packing import Geometry, Packed, prepare
from thawline.ingest.sources import csv, parquet

Encode = Callable[..., bytes]
HEADER = ("image", "label", "split", "group")
ROWS = [
    ("a/0.png", "cat", "train", "g1"),
    ("a/1.png", "dog", "Test", "g2"),
    ("./a/2.png", "cat", "", ""),
    ("b c.png", "dog", "validation", ""),
]


@pytest.fixture
def root(tmp_path: Path, encode: Encode) -> Path:
    (tmp_path / "a").mkdir()
    for value, name in enumerate(("a/0.png", "a/1.png", "a/2.png", "b c.png")):
        (tmp_path / name).write_bytes(encode(np.full((8, 8, 3), value, np.uint8), "PNG"))
    return tmp_path


def table(root: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER) -> Path:
    with (root / "set.csv").open("w", newline="", encoding="utf-8") as file:
        plain_csv.writer(file).writerows([header, *rows])
    return root / "set.csv"


def parquet_table(
    root: Path, rows: Sequence[Sequence[Any]], header: Sequence[str] = HEADER
) -> Path:
    columns = {
        name: list(column) for name, column in zip(header, zip(*rows, strict=True), strict=True)
    }
    pq.write_table(pa.table(columns), root / "set.parquet", row_group_size=2)
    return root / "set.parquet"


READERS = {"csv": (csv, table), "parquet": (parquet, parquet_table)}
Read = Callable[..., Source]


@pytest.fixture(params=READERS)
def read(request: pytest.FixtureRequest, root: Path) -> Read:
    module, write = READERS[request.param]

    def reading(
        rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER, **options: Any
    ) -> Source:
        return module.read(write(root, rows, header), **options)  # type: ignore[attr-defined]

    return reading


def listed(source: Source) -> tuple[list[Item], dict[str, str]]:
    results = list(source.items)
    assert len(results) == source.num_items
    items = [r for r in results if isinstance(r, Item)]
    return items, {r.name: r.reason for r in results if isinstance(r, Reject)}


def test_columns_become_items(read: Read) -> None:
    source = read(ROWS)
    assert source.classes == ("cat", "dog")
    items, rejects = listed(source)
    assert rejects == {}
    assert [(i.name, i.label, i.split, i.group) for i in items] == [
        ("a/0.png", 0, "train", "g1"),
        ("a/1.png", 1, "test", "g2"),
        ("a/2.png", 0, None, None),
        ("b c.png", 1, "val", None),
    ]
    geometry = Geometry(image_size_px=8, fit="crop", background=(0, 0, 0))
    assert all(isinstance(prepare(item, geometry), Packed) for item in items)


def test_columns_may_have_other_names_and_be_missing(read: Read) -> None:
    rows = [(row[1], row[0], "x") for row in ROWS]
    items, _ = listed(read(rows, ("y", "x", "other"), image="x", label="y"))
    assert next((i.name, i.split, i.group) for i in items) == ("a/0.png", None, None)


@pytest.mark.parametrize("option", HEADER)
def test_a_missing_column_is_named(read: Read, option: str) -> None:
    with pytest.raises(
        UserError, match=rf"ingest.options.{option}: column 'no.*ne' is missing"
    ) as e:
        read(ROWS, **{option: "no\nne"})
    assert "'image', 'label', 'split', 'group'" in str(e.value)
    assert str(e.value).isprintable()


BAD = {
    "empty label": (("x.png", " ", "", ""), "row 6: the label is empty"),
    "long label": (("x.png", "x" * 201, "", ""), "row 6: a label of 201 characters"),
    "unknown split": (("x.png", "cat", "fold\n1", ""), r"row 6: split 'fold.*1' is not one of"),
    "empty path": (("", "cat", "", ""), "row 6: the path is empty"),
    "path twice": (("a/./0.png", "cat", "", ""), "row 6: path 'a/0.png' is in .* row 2 already"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_row_is_named(read: Read, bad: str) -> None:
    row, expected = BAD[bad]
    with pytest.raises(UserError, match=expected) as caught:
        read([*ROWS, row])
    assert str(caught.value).isprintable()


def test_many_bad_rows_are_counted(read: Read) -> None:
    with pytest.raises(UserError, match=r"row 3: the label is empty \(7 rows like this\)"):
        read([ROWS[0], *((f"{k}.png", "", "", "") for k in range(7))])


def test_a_label_that_is_no_class_is_named(read: Read) -> None:
    assert read(ROWS, classes=["dog", "cat"]).classes == ("dog", "cat")
    with pytest.raises(UserError, match=r"row 2: label 'cat' is not one of"):
        read(ROWS, classes=["dog", "emu"])


def test_one_class_is_not_enough(read: Read) -> None:
    with pytest.raises(UserError, match="has 1 class"):
        read(ROWS[::2])


def test_numbers_are_sorted_as_numbers(read: Read) -> None:
    rows = [(f"{k}.png", str(k), "", "") for k in (10, 9, 2)]
    assert read(rows).classes == ("2", "9", "10")


def test_paths_that_lead_outside_are_set_aside(read: Read, root: Path) -> None:
    outside = root.parent / f"{root.name}-outside.png"
    outside.write_bytes((root / "a/0.png").read_bytes())
    (root / "linked").symlink_to(root.parent)
    os.mkfifo(root / "fifo.png")
    bad = (f"../{outside.name}", str(outside), f"linked/{outside.name}", "fifo.png", "gone.png")
    items, rejects = listed(read([*ROWS, *((name, "cat", "", "") for name in bad)]))
    assert len(items) == 4
    assert list(rejects) == list(bad)
    assert [reason.split(": ", 1)[1] for reason in rejects.values()] == [
        "path leads outside of the table's folder",
        "path leads outside of the table's folder",
        "link to outside of the source",
        "not a regular file",
        "cannot be read: No such file or directory",
    ]
    assert rejects["gone.png"].startswith("row 10: ")


def test_a_formula_is_text(read: Read, root: Path) -> None:
    rows = [*ROWS, ("=cmd|' /C calc'!A0", '=HYPERLINK("x")', "", "+1")]
    source = read(rows)
    assert '=HYPERLINK("x")' in source.classes
    assert "=cmd|' /C calc'!A0" in listed(source)[1]


def test_a_table_alone_says_that_dvc_does_not_see_its_images(root: Path, read: Read) -> None:
    (said,) = read(ROWS).remarks
    assert said.startswith("DVC does not see the images that the table names")
    (file,) = root.glob("set.*")
    module = csv if file.suffix == ".csv" else parquet
    assert list(module.read(root).remarks) == []


def test_a_folder_of_tables_is_one_set(root: Path, read: Read) -> None:
    read(ROWS[:2])
    (file,) = root.glob("set.*")
    file.rename(root / f"first{file.suffix}")
    read([*ROWS[2:]])
    module = csv if file.suffix == ".csv" else parquet
    assert len(listed(module.read(root))[0]) == 4
    with pytest.raises(UserError, match=rf"has no \*{file.suffix} file"):
        module.read(root / "a")


@pytest.mark.parametrize("delimiter", list(",;\t|"))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_delimiter_mark_and_line_ends(
    root: Path, delimiter: str, encoding: str, newline: str
) -> None:
    lines = [delimiter.join(row) for row in (HEADER, *ROWS)]
    (root / "set.csv").write_bytes(newline.join(lines).encode(encoding))
    assert len(listed(csv.read(root / "set.csv"))[0]) == 4


def test_quotes_blank_lines_and_short_rows(root: Path) -> None:
    text = 'image,label,split\n"a/0.png","cat, ""small""\n"\n\na/1.png,dog\n'
    (root / "set.csv").write_text(text)
    source = csv.read(root / "set.csv")
    assert source.classes == ('cat, "small"', "dog")
    assert len(listed(source)[0]) == 2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "row 1; its columns: "),
        (b"image,label\na.png,cat\nb.png,dog,train\n", "row 3: 3 cells where the header has 2"),
        (b"image,label\na.png,caf\xe9\n", "not UTF-8"),
        (b'image,label\na.png,"cat\n' + b"x" * 200_000, "row 2: no CSV: field larger"),
        (b"image,label,label\na.png,cat,dog\n", "'label' is there twice"),
    ],
)
def test_what_is_no_table_is_refused(root: Path, data: bytes, expected: str) -> None:
    (root / "set.csv").write_bytes(data)
    with pytest.raises(UserError, match=expected):
        csv.read(root / "set.csv")


@pytest.mark.parametrize("module", [csv, parquet])
def test_a_missing_file_is_named(tmp_path: Path, module: Any) -> None:
    with pytest.raises(UserError, match="No such file"):
        module.read(tmp_path / "gone")


def test_a_table_that_changes_meanwhile_is_noticed(root: Path) -> None:
    source = csv.read(table(root, ROWS))
    table(root, [*ROWS, ("x.png", "cat", "", "")])
    with pytest.raises(UserError, match="changed while it was read"):
        list(source.items)


@pytest.mark.parametrize("struct", [False, True])
def test_images_may_lie_in_the_parquet_file(root: Path, struct: bool) -> None:
    data = [(root / name).read_bytes() for name in ("a/0.png", "a/1.png")]
    held = [*data, None]
    images = [{"bytes": d, "path": "/etc/passwd"} for d in held] if struct else held
    pq.write_table(pa.table({"image": images, "label": [1, 0, 1]}), root / "x.parquet")
    items, rejects = listed(parquet.read(root / "x.parquet"))
    assert [item.payload for item in items] == data
    assert [item.name for item in items] == ["x/0000002", "x/0000003"]
    assert rejects == {"x/0000004": "row 4: no image in this row"}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"image": [1, 2], "label": [0, 1]}, "ingest.options.image: column 'image' of .* is int64"),
        ({"image": ["a", "b"], "label": [0.5, 1]}, "ingest.options.label: .* is double"),
    ],
)
def test_columns_of_another_type_are_refused(root: Path, columns: Any, expected: str) -> None:
    pq.write_table(pa.table(columns), root / "x.parquet")
    with pytest.raises(UserError, match=expected):
        parquet.read(root / "x.parquet")


@pytest.mark.parametrize("data", [b"", b"text", b"PAR1" + bytes(40) + b"PAR1"])
def test_what_is_no_parquet_is_refused(root: Path, data: bytes) -> None:
    (root / "x.parquet").write_bytes(data)
    with pytest.raises(UserError, match=r"x\.parquet"):
        parquet.read(root / "x.parquet")


def test_rows_are_not_held_in_memory(tmp_path: Path) -> None:
    with (tmp_path / "set.csv").open("w") as file:
        file.write("image,label\n")
        file.writelines(f"{'folder/' * 10}{k}.png,{k % 7}\n" for k in range(50_000))
    tracemalloc.start()
    source = csv.read(tmp_path / "set.csv")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert source.num_items == 50_000
    assert peak < 5e6
