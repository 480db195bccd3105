"""Choose a point of the pruning curve, which has accuracy and cost by ratio."""

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from thawline.cost.memory import MEGABYTE
from thawline.runtime.output_paths import intact, write_csv


@dataclass(frozen=True, kw_only=True)
class Point:
    """Network after pruning and recovery; without its latency, which differs from run to run."""

    ratio: float
    """Share of the channels that were to go; 0 for the network as it was."""
    val_accuracy: float
    macs: int
    """Multiply-accumulates of one image."""
    parameters: int
    bytes: int
    """Bytes of the weights as a checkpoint holds them."""


def choose(
    points: Sequence[Point], *, min_accuracy: float | None, max_size_mb: float | None
) -> tuple[Point, str]:
    """Choose the point to ship, with the reason.

    With a limit: the fewest operations among the points that keep it. Without: the knee, where the
    curve of accuracy over operations is farthest above the line between its ends (V. Satopaa et
    al., 2011, "Finding a kneedle in a haystack").

    Args:
        points: at least one.
        min_accuracy: smallest accuracy on validation images, in [0, 1].
        max_size_mb: largest size of the weights, in MB of 10^6 bytes.
    """
    if len(points) == 1:
        return points[0], "it is the only one"
    if min_accuracy is None and max_size_mb is None:
        return _knee(points), "it is the knee of the curve"
    fitting = [
        point
        for point in points
        if (min_accuracy is None or point.val_accuracy >= min_accuracy)
        and (max_size_mb is None or point.bytes <= max_size_mb * MEGABYTE)
    ]
    if fitting:
        return min(fitting, key=_cost), "it needs the fewest operations within the budget"
    best = max(points, key=lambda point: (point.val_accuracy, -point.macs))
    return best, "none is within the budget, and it is the most accurate"


def write(path: Path, points: Sequence[Point]) -> None:
    """Write a table for `dvc plots`, without lines where nothing was pruned."""
    write_csv(path, [field.name for field in fields(Point)], [astuple(p) for p in points])


def read(path: Path) -> list[Point]:
    """Read the table; nothing where nothing was pruned.

    Raises:
        UserError: the file is missing or damaged.
    """
    with intact(path), path.open(encoding="utf-8", newline="") as file:
        return [
            Point(
                ratio=float(row["ratio"]),
                val_accuracy=float(row["val_accuracy"]),
                macs=int(row["macs"]),
                parameters=int(row["parameters"]),
                bytes=int(row["bytes"]),
            )
            for row in csv.DictReader(file)
        ]


def _cost(point: Point) -> tuple[int, int, float]:
    return point.macs, point.bytes, -point.val_accuracy


def _knee(points: Sequence[Point]) -> Point:
    """Find the knee; among equals, as two points always are, the most accurate, then smallest."""
    accuracy = _scaled(np.array([point.val_accuracy for point in points]))
    above = accuracy - _scaled(np.array([float(point.macs) for point in points]))
    at = range(len(points))
    return points[max(at, key=lambda i: (round(above[i], 9), accuracy[i], -points[i].macs))]


def _scaled(values: np.ndarray) -> np.ndarray:
    """Scale values to [0, 1]; to 1 where all are equal."""
    spread = float(np.ptp(values))
    return (values - values.min()) / spread if spread else np.ones_like(values)
