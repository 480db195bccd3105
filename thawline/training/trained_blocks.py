"""Record which blocks of a network a stage trained, and how much of each."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import nn

from thawline.runtime.output_paths import intact, uncell, write_csv

FILE = "blocks.csv"


class Block(NamedTuple):
    """A block of a network.

    Attributes:
        trained: how many of the parameters were trained.
    """

    name: str
    parameters: int
    trained: int


def blocks(network: nn.Sequential) -> list[Block]:
    """List the blocks of a network as training left it, from the input to the head."""
    return [
        Block(
            name,
            sum(p.numel() for p in block.parameters()),
            sum(p.numel() for p in block.parameters() if p.requires_grad),
        )
        for name, block in network.named_children()
    ]


def write(folder: Path, found: Sequence[Block]) -> None:
    """Write blocks.csv into a stage's reports."""
    write_csv(folder / FILE, ("block", "parameters", "trained"), found)


def read(folder: Path) -> list[Block]:
    """Read blocks.csv of a stage's reports.

    Raises:
        UserError: the file is missing or damaged.
    """
    with intact(folder / FILE), (folder / FILE).open(encoding="utf-8", newline="") as file:
        return [
            Block(uncell(row["block"]), int(row["parameters"]), int(row["trained"]))
            for row in csv.DictReader(file)
        ]
