"""Draw the next test set from unseen rows, as many per class as are tested now."""

import numpy as np

from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest.splits.split import positions
from thawline.runtime.escape import visible

_NAMED = 5


def draw(manifest: Manifest, fresh: np.ndarray, *, min_rows: int, seed: int) -> np.ndarray:
    """Draw as many rows per class as are tested now, or as are fresh; groups whole, by a hash.

    Args:
        manifest: the current data set.
        fresh: rows that may be drawn, with their whole groups; bool (N,).
        min_rows: smallest size of a test set that can decide anything.
        seed: seed of the hash.

    Returns:
        Rows of the manifest, int64, ascending.

    Raises:
        UserError: too few fresh rows, or a class without one.
    """
    _check(manifest, fresh, min_rows)
    wanted, taken = _wanted(manifest), np.zeros(len(manifest), dtype=bool)
    rows = np.flatnonzero(fresh)
    keys = [manifest.groups[row] or manifest.sha256[row] for row in rows]
    members: dict[str, list[int]] = {}
    for row, key in zip(rows.tolist(), keys, strict=True):
        members.setdefault(key, []).append(row)
    # Another salt than that of the splits: else those already in test would come first.
    names = list(members)
    order = np.argsort(positions([f"holdout:{name}" for name in names], seed), kind="stable")
    for at in order.tolist():
        group = members[names[at]]
        labels = manifest.labels[group]
        if (wanted[labels] > 0).any():
            taken[group] = True
            np.subtract.at(wanted, labels, 1)
    return np.flatnonzero(taken)


def _wanted(manifest: Manifest) -> np.ndarray:
    """Return the rows wanted per class, int64 (num_classes,)."""
    wanted: np.ndarray = np.maximum(manifest.counts("test"), 1)
    return wanted


def _check(manifest: Manifest, fresh: np.ndarray, min_rows: int) -> None:
    found = np.bincount(manifest.labels[fresh], minlength=len(manifest.classes))
    usable = int(np.minimum(found, _wanted(manifest)).sum())
    add = "add labelled images to the source, then `dvc repro ingest`"
    if usable < min_rows:
        raise UserError(
            f"gate.min_rows: {min_rows}; of the images that no model has seen {usable} can be "
            f"used ({found.sum()} in all); {add}"
        )
    absent = [visible(manifest.classes[k], 40) for k in np.flatnonzero(found == 0)]
    if absent:
        more = " ..." if len(absent) > _NAMED else ""
        raise UserError(
            f"data/ingest: no image that no model has seen of {', '.join(absent[:_NAMED])}{more}; "
            f"{add}"
        )
