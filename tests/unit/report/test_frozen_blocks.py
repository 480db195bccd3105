"""The picture of the blocks says what training did, whatever the blocks are called."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from torch import nn

from thawline.errors import UserError
from thawline.report import frozen_blocks
from thawline.training import trained_blocks
from thawline.training.trained_blocks import Block


def network() -> nn.Sequential:
    net = nn.Sequential()
    net.add_module("stem", nn.Conv2d(3, 4, 3))
    net.add_module("pool", nn.Flatten())
    net.add_module("norm <1>", nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)))
    net.add_module("head", nn.Linear(4, 2))
    for p in [*net[0].parameters(), *net[2][0].parameters()]:  # type: ignore[index]
        p.requires_grad_(False)
    return net


def test_blocks_are_counted() -> None:
    assert trained_blocks.blocks(network()) == [
        Block("stem", 112, 0), Block("pool", 0, 0), Block("norm <1>", 28, 8), Block("head", 10, 10),
    ]  # fmt: skip


def test_they_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = [*trained_blocks.blocks(network()), Block("=1+1", 3, 0)]
    trained_blocks.write(tmp_path, found)
    assert trained_blocks.read(tmp_path) == found
    (tmp_path / trained_blocks.FILE).write_text("block,parameters\na,b\n")
    with pytest.raises(UserError, match="damaged"):
        trained_blocks.read(tmp_path)


def test_the_picture_says_it_and_is_well_formed(tmp_path: Path) -> None:
    frozen_blocks.write(tmp_path / "a.svg", "a & b", trained_blocks.blocks(network()))
    texts = [e.text for e in ElementTree.parse(tmp_path / "a.svg").iter() if e.tag[-4:] == "text"]
    assert texts[0] == "a & b"
    said = dict(zip(texts[1::3], texts[3::3], strict=True))
    assert said == {
        "stem": "frozen", "pool": "nothing to train", "norm <1>": "8 trained", "head": "trained",
    }  # fmt: skip


def test_equal_networks_give_equal_bytes(tmp_path: Path) -> None:
    for name in "ab":
        frozen_blocks.write(tmp_path / name, "x", trained_blocks.blocks(network()))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
