"""Corrected labels: checked, applied once, and no row changes its split."""

from pathlib import Path

import numpy as np
import pytest

from thawline.dataset.image_store import StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest import collect as walk
from thawline.ingest.items import Item
from thawline.ingest.labels import label_fixes
from thawline.ingest.packing.packing import Geometry, pack
from thawline.ingest.splits.divide import divide

CLASSES = ("cat", "dog", "écru, or so")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "label_fixes.csv"


def ingest(tmp_path: Path, file: Path, number: int = 60, **options: float) -> Manifest:
    items = [
        Item(name=f"n/{v}", label=v % 3, payload=np.full((16, 16), v, np.uint8))
        for v in range(number)
    ]
    fixes = label_fixes.read(file, CLASSES)
    with StoreWriter(tmp_path / "store", 16) as writer:
        packed = pack(items, Geometry(image_size_px=16, fit="crop", background=(0, 0, 0)), number)
        found = walk.collect(packed, writer, CLASSES, fixes)
    ratios = {"val_ratio": 0.2, "test_ratio": 0.2, "imbalance_ratio": None, **options}
    return divide(found, CLASSES, seed=0, **ratios)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [None, "", "image,label,was\n", "image,label\n\n\n"])
def test_nothing_to_correct(tmp_path: Path, file: Path, text: str | None) -> None:
    if text is not None:
        file.write_text(text)
    assert label_fixes.read(file, CLASSES).fixes == {}
    assert ingest(tmp_path, file).labels.tolist() == [v % 3 for v in range(60)]


@pytest.mark.parametrize(
    "text",
    [
        'image,label,was\nn/4,cat,dog\nn/9,"écru, or so",\n',
        '\ufeffimage;was;label\r\nn/4;dog;cat\r\n"n/9";;"écru, or so"\r\n',
        'label,image\ncat,n/4\n\n"écru, or so", n/9 \n',
    ],
)
def test_labels_are_corrected(tmp_path: Path, file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    wanted = [v % 3 for v in range(60)]
    wanted[4], wanted[9] = 0, 2
    assert ingest(tmp_path, file).labels.tolist() == wanted


@pytest.mark.parametrize("ratio", [None, 5.0])
def test_no_split_changes(tmp_path: Path, file: Path, ratio: float | None) -> None:
    """Not even where a class would have to be filled up or thinned out otherwise."""
    before = ingest(tmp_path, file, 30, imbalance_ratio=ratio)  # type: ignore[arg-type]
    moved = [*before.rows("test")[:4], *before.rows("train")[:4]]
    lines = [f"n/{row},{CLASSES[(row + 1) % 3]},{CLASSES[row % 3]}" for row in moved]
    file.write_text("\n".join(["image,label,was", *lines]), encoding="utf-8")
    lines = [line.replace("écru, or so", '"écru, or so"') for line in lines]
    file.write_text("\n".join(["image,label,was", *lines]), encoding="utf-8")
    after = ingest(tmp_path, file, 30, imbalance_ratio=ratio)  # type: ignore[arg-type]
    assert after.splits.tolist() == before.splits.tolist()
    assert (after.labels != before.labels).sum() == 8
    assert after.digest() != before.digest()


@pytest.mark.parametrize(
    ("lines", "row", "problem"),
    [
        ("n/4,cat,dog\nn/99,cat,", 3, "'n/99' is no image of the source"),
        ("n/4,cat,dog\nn/5,bird,", 3, "label 'bird' is not a class; allowed: cat, dog"),
        ("n/4,cat,bird", 2, "was 'bird' is not a class"),
        ("n/4,dog,cat", 2, "'n/4' is labelled 'dog', not 'cat'"),
        ("n/4,cat,\nn/7,cat,\nn/4,cat,", 4, "'n/4' is in row 2 already"),
        (",cat,", 2, "column 'image' is empty"),
        ("n/4,,", 2, "column 'label' is empty"),
        ("n/4,cat,dog,why", 2, "4 cells where the header has 3"),
        ("n/\x1b[31m\u202e,cat,", 2, "is no image"),
    ],
)
def test_a_wrong_row_is_named(
    tmp_path: Path, file: Path, lines: str, row: int, problem: str
) -> None:
    file.write_text("image,label,was\n" + lines, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        ingest(tmp_path, file)
    text = str(caught.value)
    assert f"label_fixes.csv row {row}: " in text
    assert problem in text
    assert text.isprintable()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"name,label\nn/4,cat\n", "expected image,label,was"),
        (b"image,was\nn/4,cat\n", "expected the columns image,label,was"),
        (b"image,label,label\nn/4,cat,dog\n", "column 'label'"),
        (b"image,label\n\xff\xfe\n", "not UTF-8"),
        (b'image,label\n"n/4"x,cat\n', "no CSV"),
        (b"\x89PNG\r\n\x1a\n", "not UTF-8"),
    ],
)
def test_what_is_no_such_table_is_refused(file: Path, data: bytes, problem: str) -> None:
    file.write_bytes(data)
    with pytest.raises(UserError, match=problem):
        label_fixes.read(file, CLASSES)


def test_a_class_that_loses_its_last_training_image_is_named(tmp_path: Path, file: Path) -> None:
    manifest = ingest(tmp_path, file, 12)
    rows = [row for row in manifest.rows("train").tolist() if row % 3 == 0]
    file.write_text("image,label\n" + "".join(f"n/{row},dog\n" for row in rows))
    with pytest.raises(UserError, match="class 'cat' has no training image left"):
        ingest(tmp_path, file, 12)
