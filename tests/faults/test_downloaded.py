"""A downloaded set that is not the recorded one is refused."""

import re
from pathlib import Path

import pytest

from tests.contract import inputs
from thawline.errors import UserError
from thawline.ingest.files.checksums import require_items
from thawline.ingest.items import Item, Reject
from thawline.ingest.sources import torchvision

ITEMS = (
    Item(name="train/0", label=0, payload=b"abc"),
    Reject(name="train/1", reason="no label"),
    Item(name="train/2", label=1, payload=b"def"),
)


def recorded(refused: pytest.ExceptionInfo[UserError]) -> str:
    """As a person copies it from the message into params.yaml."""
    (found,) = re.findall(r"if that one is right: ([0-9a-f]{64})$", str(refused.value))
    return str(found)


def test_files_that_are_not_the_recorded_ones(tmp_path: Path) -> None:
    folder = inputs.torchvision(tmp_path, {"name": "MNIST"})
    with pytest.raises(
        UserError, match=r"^ingest\.options\.sha256: '\?' is not the hash"
    ) as refused:
        torchvision.read(folder, name="MNIST", sha256="?")
    sha256 = recorded(refused)
    torchvision.read(folder, name="MNIST", sha256=sha256)
    torchvision.read(folder, name="MNIST", sha256=sha256.upper())
    file = max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="is not the hash of the data set"):
        torchvision.read(folder, name="MNIST", sha256=sha256)
    torchvision.read(folder, name="MNIST")


def test_images_that_are_not_the_recorded_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        list(require_items(ITEMS, "?"))
    sha256 = recorded(refused)
    assert list(require_items(ITEMS, sha256)) == list(ITEMS)
    (tmp_path / "image").write_bytes(b"abc")
    same = Item(name="train/0", label=0, payload=tmp_path / "image")
    assert len(list(require_items((same, *ITEMS[1:]), sha256))) == 3
    others = (
        (Item(name="train/0", label=0, payload=b"abd"), *ITEMS[1:]),
        (Item(name="train/0", label=1, payload=b"abc"), *ITEMS[1:]),
        ITEMS[:2],
    )
    for changed in others:
        with pytest.raises(UserError, match="is not the hash of the data set"):
            list(require_items(changed, sha256))
        assert list(require_items(changed, "")) == list(changed)
