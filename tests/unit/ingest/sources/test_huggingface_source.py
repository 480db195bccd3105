"""Sets of the library `datasets`, where it is installed; else what is said without it."""

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from thawline.errors import UserError
from thawline.ingest.items import Item, Reject
from thawline.ingest.sources import huggingface

INSTALLED = importlib.util.find_spec("datasets") is not None
needs_library = pytest.mark.skipif(not INSTALLED, reason="the extra huggingface is not installed")
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.skipif(INSTALLED, reason="the extra huggingface is installed")
def test_a_missing_library_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pip install 'thawline\[huggingface\]'"):
        huggingface.read(tmp_path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def png(value: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(out, "PNG")
    return out.getvalue()


def saved(path: Path, *, named: bool = True, splits: tuple[str, ...] = ("train", "test")) -> Path:
    datasets: Any = pytest.importorskip("datasets")
    kind = datasets.ClassLabel(names=["dog", "cat"]) if named else datasets.Value("string")
    features = datasets.Features({"image": datasets.Image(), "label": kind})
    values = [0, 1, None, 1] if named else ["b", "a", None, "a"]
    parts = {}
    for at, split in enumerate(splits):
        images = [{"bytes": png(10 * at + k), "path": None} for k in range(4)]
        held = {"image": images, "label": values}
        parts[split] = datasets.Dataset.from_dict(held, features=features)
    whole = datasets.DatasetDict(parts) if splits else None
    whole.save_to_disk(str(path))
    return path


@needs_library
@pytest.mark.parametrize(("named", "classes"), [(True, ("dog", "cat")), (False, ("a", "b"))])
def test_a_saved_set(here: Path, named: bool, classes: tuple[str, ...]) -> None:
    source = huggingface.read(saved(here / "set", named=named))
    assert source.classes == classes
    results = list(source.items)
    assert source.num_items == len(results) == 8
    items = [item for item in results if isinstance(item, Item)]
    assert [(item.name, source.classes[item.label], item.split) for item in items] == [
        ("train/0000000", "dog" if named else "b", "train"),
        ("train/0000001", "cat" if named else "a", "train"),
        ("train/0000003", "cat" if named else "a", "train"),
        ("test/0000000", "dog" if named else "b", "test"),
        ("test/0000001", "cat" if named else "a", "test"),
        ("test/0000003", "cat" if named else "a", "test"),
    ]
    assert items[0].payload == png(0)
    rejects = {item.name: item.reason for item in results if isinstance(item, Reject)}
    assert rejects == {"train/0000002": "no label", "test/0000002": "no label"}


def test_a_declared_class_without_a_row_is_no_class(here: Path) -> None:
    datasets: Any = pytest.importorskip("datasets")
    names = ["ant", "bee", "cat", "dog"]
    parts = {}
    for split, values, named in (("train", [0, 2, -1], names), ("test", [3, 1], names[::-1])):
        kind = datasets.Features(
            {"image": datasets.Image(), "label": datasets.ClassLabel(names=named)}
        )
        images = [{"bytes": png(k), "path": None} for k in range(len(values))]
        held = {"image": images, "label": values}
        parts[split] = datasets.Dataset.from_dict(held, features=kind)
    datasets.DatasetDict(parts).save_to_disk(str(here / "set"))
    source = huggingface.read(here / "set")
    assert source.classes == ("ant", "cat")
    assert source.empty_classes == ("bee", "dog")
    found = [
        source.classes[item.label] if isinstance(item, Item) else item.reason
        for item in source.items
    ]
    assert found == ["ant", "cat", "no label", "ant", "cat"]


def test_a_set_of_one_class_is_refused(here: Path) -> None:
    datasets: Any = pytest.importorskip("datasets")
    kind = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["ant", "bee"])}
    )
    held = {"image": [{"bytes": png(1), "path": None}], "label": [1]}
    datasets.Dataset.from_dict(held, features=kind).save_to_disk(str(here / "set"))
    with pytest.raises(UserError, match=r"column 'label' has 1 class\(es\) with a row"):
        huggingface.read(here / "set")


def test_numbers_without_names_are_ordered_by_value(here: Path) -> None:
    datasets: Any = pytest.importorskip("datasets")
    kind = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    held = {
        "image": [{"bytes": png(k), "path": None} for k in range(3)],
        "label": [10, 9, 2],
    }
    datasets.Dataset.from_dict(held, features=kind).save_to_disk(str(here / "set"))
    assert huggingface.read(here / "set").classes == ("2", "9", "10")


def test_a_file_outside_of_the_set_is_not_opened(here: Path) -> None:
    (here / "in.png").write_bytes(png(1))
    roots = (here, here / "cache")
    assert huggingface._payload({"path": str(here / "in.png")}, roots) == here / "in.png"
    assert huggingface._payload({"path": "/etc/hostname"}, roots) == "link to outside of the source"
    assert huggingface._payload({"path": None, "bytes": b""}, roots) == "no image in this row"


@needs_library
def test_a_missing_column_is_named(here: Path) -> None:
    path = saved(here / "set")
    for options, expected in [
        ({"image": "x"}, r"options\.image: column 'x' is missing in train; .*'image', 'label'"),
        ({"label": "x"}, r"options\.label: column 'x' is missing"),
        ({"image": "label"}, "expected images"),
    ]:
        with pytest.raises(UserError, match=expected):
            huggingface.read(path, **options)


@needs_library
def test_a_split_of_another_name_is_refused(here: Path) -> None:
    with pytest.raises(UserError, match="split 'extra' of the set is not one of"):
        huggingface.read(saved(here / "set", splits=("train", "extra")))


@needs_library
def test_what_cannot_be_loaded_is_named(here: Path) -> None:
    with pytest.raises(UserError, match=r"ingest\.path: .* cannot be loaded"):
        huggingface.read(here)
    with pytest.raises(UserError, match=r"ingest\.options\.name: 'a/b' cannot be loaded"):
        huggingface.read(here, name="a/b")
    with pytest.raises(UserError, match="is not below data/"):
        huggingface.read(here.parent, name="a/b")


@needs_library
def test_code_that_comes_with_a_set_is_not_run(here: Path) -> None:
    (here / "set").mkdir()
    (here / "set" / "set.py").write_text(f"open({str(here / 'ran')!r}, 'w')\n")
    with pytest.raises(UserError, match="cannot be loaded"):
        huggingface.read(here / "set")
    assert not (here / "ran").exists()
