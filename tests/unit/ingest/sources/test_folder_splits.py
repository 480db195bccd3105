"""A folder that is divided into train, val and test already."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from thawline.errors import UserError
from thawline.ingest.items import Item
from thawline.ingest.sources import folder

Encode = Callable[..., bytes]


@pytest.fixture
def root(tmp_path: Path, encode: Encode) -> Path:
    png = encode(np.zeros((4, 4, 3), np.uint8), "PNG")
    for place in (
        "train/cat/a",
        "train/dog/a",
        "Validation/dog/b",
        "test/cat/deep/c",
        "test/emu/c",
    ):
        file = tmp_path / "data" / f"{place}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png)
    return tmp_path / "data"


def test_the_folders_above_the_classes_are_the_splits(root: Path) -> None:
    source = folder.read(root)
    assert source.classes == ("cat", "dog", "emu")
    items = [item for item in source.items if isinstance(item, Item)]
    assert {item.name: (source.classes[item.label], item.split) for item in items} == {
        "train/cat/a.png": ("cat", "train"),
        "train/dog/a.png": ("dog", "train"),
        "Validation/dog/b.png": ("dog", "val"),
        "test/cat/deep/c.png": ("cat", "test"),
        "test/emu/c.png": ("emu", "test"),
    }
    assert source.num_items == 5


def test_a_class_folder_called_train_stays_a_class(root: Path) -> None:
    source = folder.read(root / "train")
    assert {item.split for item in source.items if isinstance(item, Item)} == {None}
    (root / "train" / "cat").rename(root / "train" / "train")
    assert folder.read(root / "train").classes == ("dog", "train")


def test_splits_beside_something_else_are_refused(root: Path) -> None:
    (root / "extra").mkdir()
    assert "the folder 'extra' beside the splits holds no image" in folder.read(root).remarks
    (root / "extra" / "ant").mkdir()
    (root / "extra" / "ant" / "0.png").write_bytes(b"x")
    with pytest.raises(UserError, match=r"folders of splits .* beside 'extra'"):
        folder.read(root)
