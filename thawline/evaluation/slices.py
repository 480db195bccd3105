"""Measure accuracy on parts of the test rows, to find kinds of images with more mistakes.

The parts come from what is known of an image besides its class: how bright it is, where it came
from, and every further column of the manifest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thawline.metrics.multiple_tests import adjust
from thawline.runtime.escape import escape
from thawline.runtime.output_paths import write_csv

LEVEL = 0.05
"""Error level of all parts together."""
MIN_ROWS = 10
"""Smaller parts say too little to be listed."""
MAX_VALUES = 20
"""Parts of a column of words; the most frequent ones."""
_NOT_SLICED = {"label", "class", "split", "sha256", "name"}
Column = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One part of the test rows.

    Attributes:
        low: lower end of Wilson's 95 % interval of the accuracy (1927).
        high: upper end of it.
        p_value: p-value of Fisher's exact test that the part is no worse than the rest, one-sided.
        worse: True where that is rejected at 5 % after Holm's correction over all parts.
    """

    column: str
    value: str
    num_images: int
    accuracy: float
    low: float
    high: float
    p_value: float
    worse: bool = False


def find(correct: NDArray[np.bool_], columns: Mapping[str, Column]) -> list[Slice]:
    """Score every part of at least MIN_ROWS rows, column by column.

    Args:
        correct: True for each test row that was predicted right, bool (N,).
        columns: name -> value of each test row, (N,): numbers are cut into thirds, words taken as
            they are.
    """
    parts = [
        _slice(name, value, correct, inside)
        for name, values in columns.items()
        for value, inside in _parts(values)
        if MIN_ROWS <= inside.sum() < len(correct)
    ]
    adjusted = adjust([part.p_value for part in parts])
    return [replace(part, worse=p <= LEVEL) for part, p in zip(parts, adjusted, strict=True)]


def columns(
    manifest_file: Path, rows: NDArray[np.int64], labels: NDArray[np.int64], brightness: Column
) -> dict[str, Column]:
    """Collect the columns by which the test rows are split into parts.

    Args:
        manifest_file: manifest.parquet; the folder an image came from and every column but those
            that name the image or its class are used, missing words as an empty one.
        rows: rows of the manifest, int64 (N,).
        labels: their classes, int64 (N,).
        brightness: brightness of each row, (N,).
    """
    from thawline.dataset import stored_table

    table = stored_table.read(manifest_file).take(rows)
    names = [PurePosixPath(name).parts for name in table.column("name").to_pylist()]
    found: dict[str, Column] = {
        "brightness": brightness,
        "folder": np.array([parts[0] if len(parts) > 1 else "" for parts in names]),
    }
    for name in table.column_names:
        if name not in _NOT_SLICED:
            values = table.column(name).to_pylist()
            is_text = any(isinstance(value, str) for value in values)
            found[name] = np.array([value or "" for value in values] if is_text else values)
    return {name: values for name, values in found.items() if not _same_as_class(values, labels)}


def brightness(images: Iterator[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Average batches uint8 (B, S, S, 3) over pixels and channels: float64 (N,), 0 to 255."""
    return np.concatenate([batch.mean(axis=(1, 2, 3), dtype=np.float64) for batch in images])


def write(path: Path, slices: Sequence[Slice]) -> None:
    """Write slices.csv: one row per part."""
    write_csv(
        path,
        ("column", "part", "images", "accuracy", "low", "high", "p_value", "worse"),
        [
            (
                escape(s.column, 60), escape(s.value, 60), s.num_images,
                *(f"{v:.6f}" for v in (s.accuracy, s.low, s.high, s.p_value)), s.worse,
            )
            for s in slices
        ],
    )  # fmt: skip


def _slice(column: str, value: str, correct: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Slice:
    from scipy.stats import binomtest, fisher_exact

    count, hits = int(inside.sum()), int(correct[inside].sum())
    misses, rest = count - hits, correct[~inside]
    table = [[hits, misses], [int(rest.sum()), int((~rest).sum())]]
    bounds = binomtest(hits, count).proportion_ci(method="wilson")
    return Slice(
        column=column,
        value=value,
        num_images=count,
        accuracy=hits / count,
        low=float(bounds.low),
        high=float(bounds.high),
        p_value=float(fisher_exact(table, alternative="less").pvalue),
    )


def _parts(values: Column) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    if values.dtype.kind in "if":
        yield from _thirds(values)
    elif values.dtype.kind in "Ub":
        names, counts = np.unique(values, return_counts=True)
        if len(names) > 1:
            for name in sorted(names[np.argsort(-counts, kind="stable")[:MAX_VALUES]]):
                yield str(name), values == name


def _thirds(values: Column) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Split numbers at values that occur, so that equal numbers stay together."""
    low, high = np.nanquantile(values, [1 / 3, 2 / 3], method="higher")
    thirds = ((-np.inf, low), (low, high), (high, np.inf))
    for start, end in thirds:
        inside = (values >= start) & (values < end)
        if inside.any() and not inside.all():
            yield f"{values[inside].min():.4g} to {values[inside].max():.4g}", inside


def _same_as_class(values: Column, labels: NDArray[np.int64]) -> bool:
    """Return True where the value tells the class, as folders often do.

    The scores per class show those.
    """
    pairs = len(set(zip(values.tolist(), labels.tolist(), strict=True)))
    distinct = len(set(values.tolist()))
    return values.dtype.kind == "U" and distinct > 1 and pairs == distinct
