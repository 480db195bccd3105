"""Types that a source hands to ingest."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

MAX_SIDE_PX = 4096
"""Longest side of pixels from an array file, px; its header says how much to read."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One labelled image, not decoded yet."""

    name: str
    """Origin of the image, unique in the source, relative to it; never an absolute path."""
    label: int
    """Index into Source.classes."""
    payload: Path | bytes | np.ndarray
    """A file, an encoded image, or pixels: uint8 (H, W) or (H, W, 3)."""
    group: str | None = None
    """Rows of one group stay in one split."""
    split: str | None = None
    """train, val or test where the set has splits already; None: a hash decides."""


@dataclass(frozen=True, kw_only=True)
class Reject:
    """A file that a source cannot use, for quarantine.csv."""

    name: str
    reason: str
    label: int | None = None
    """Index into Source.classes, where it is known."""
    twin_row: int | None = None
    """Row of the packed image that this one is equal to."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Images with their labels, and what is known about them before they are read."""

    classes: tuple[str, ...]
    items: Iterable[Item | Reject]
    """May be a generator: a set larger than memory is never held whole."""
    num_items: int | None = None
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """Number of files by the rule that lets them out: hidden ones, thumbnails, sidecars."""
    empty_classes: tuple[str, ...] = ()
    """Classes that are declared (a folder, a name, a number) and have no image: no classes, but
    perhaps a mistake."""
    remarks: Sequence[str] = ()
    """Notes for the user on how the source was understood, a line each; complete when the items
    have been walked."""
    noun: str = "rows"
    """Noun for what is counted: files where each item is one, else rows of a table or an array."""
    every: Callable[[int], Iterable[Item | Reject]] | None = None
    """The first item and each n-th after it, where that spares a source making the others."""
    imbalance_ratio: float | None = None
    """Thin out the training rows to this ratio of the commonest to the rarest class."""
    check_unchanged: Callable[[], None] = lambda: None
    """Raises UserError where images were added, removed or written to since they were listed."""
