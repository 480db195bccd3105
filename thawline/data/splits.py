"""Which split a row belongs to: decided by a hash of its content, so that it never moves.

A row's place depends on the seed and on its own key (its group, else its pixels), not on its
position or on other rows: images that are added later leave the others where they are. Shares
are therefore approximate. Only in a class too small to fill a split by chance, its row nearest to
the threshold is taken.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from thawline.data.items import shown
from thawline.errors import UserError

SPLITS = ("train", "val", "test")
UNUSED = "unused"


def positions(keys: Sequence[str], seed: int) -> np.ndarray:
    """One number per key, uniform in [0, 1): float64 (N,). Equal keys get equal numbers."""
    digests = (hashlib.sha256(f"{seed}:{key}".encode()).digest() for key in keys)
    return np.array([int.from_bytes(d[:8], "big") / 2.0**64 for d in digests], dtype=np.float64)


def assign(
    keys: Sequence[str],
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    seed: int,
    val_ratio: float,
    test_ratio: float,
) -> np.ndarray:
    """Split every row into train, val and test.

    Args:
        keys: group or content hash per row; rows with equal keys share a split.
        labels: int64 (N,), index into classes.
        val_ratio: share of validation rows, in (0, 1).
        test_ratio: share of test rows, in (0, 1).

    Returns:
        Array of str (N,), each of SPLITS. Every class has a row in every split.

    Raises:
        UserError: a class has fewer keys than there are splits.
    """
    place = positions(keys, seed)
    splits = np.where(place < test_ratio, "test", np.where(place < test_ratio + val_ratio, "val", "train"))
    for label, name in enumerate(classes):
        _fill_missing(splits, place, np.flatnonzero(labels == label), name, keys)
    return splits


def thin_out(
    labels: np.ndarray, splits: np.ndarray, place: np.ndarray, *, num_classes: int, ratio: float
) -> np.ndarray:
    """Make training rows long-tailed: class sizes fall exponentially to 1/ratio of the largest.

    The profile is that of CIFAR-LT (Cui et al., 2019, "Class-balanced loss based on effective
    number of samples"). Validation and test rows stay.

    Returns:
        A copy of splits in which the left-out training rows are `unused`.
    """
    thinned = splits.astype("<U6")
    sizes = [int(((labels == k) & (splits == "train")).sum()) for k in range(num_classes)]
    for label in range(num_classes):
        wanted = max(1, round(max(sizes) * ratio ** (-label / max(1, num_classes - 1))))
        rows = np.flatnonzero((labels == label) & (splits == "train"))
        thinned[rows[np.argsort(place[rows], kind="stable")][wanted:]] = UNUSED
    return thinned


def _fill_missing(
    splits: np.ndarray, place: np.ndarray, rows: np.ndarray, name: str, keys: Sequence[str]
) -> None:
    ordered = _one_row_per_key(rows[np.argsort(place[rows], kind="stable")], keys)
    if len(ordered) < len(SPLITS):
        raise UserError(
            f"ingest: class {shown(name)!r} has {len(ordered)} different image(s) or group(s); at least "
            f"{len(SPLITS)} are needed, one each for {', '.join(SPLITS)}"
        )
    if "test" not in splits[rows]:
        _move(splits, rows, ordered[0], "test", keys)
    if "val" not in splits[rows]:
        later = [row for row in ordered if splits[row] != "test"] or [ordered[1]]
        _move(splits, rows, later[0], "val", keys)
    if "train" not in splits[rows]:
        _move(splits, rows, ordered[-1], "train", keys)
        if "val" not in splits[rows]:
            _move(splits, rows, ordered[-2], "val", keys)


def _one_row_per_key(ordered: np.ndarray, keys: Sequence[str]) -> list[int]:
    first: dict[str, int] = {}
    for row in ordered.tolist():
        first.setdefault(keys[row], row)
    return list(first.values())


def _move(splits: np.ndarray, rows: np.ndarray, row: int, split: str, keys: Sequence[str]) -> None:
    for other in rows.tolist():
        if keys[other] == keys[row]:
            splits[other] = split
