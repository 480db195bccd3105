"""Divide the collected images into splits: the manifest."""

import numpy as np

from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest.collect import Collected
from thawline.ingest.dedup.resolve import Resolved, own_keys
from thawline.ingest.left_out import LeftOut
from thawline.ingest.splits.predefined_splits import Given
from thawline.ingest.splits.split import UNUSED, assign, positions, thin_out
from thawline.runtime.escape import escape, storable


def divide(
    found: Collected,
    classes: tuple[str, ...],
    *,
    seed: int,
    val_ratio: float,
    test_ratio: float,
    imbalance_ratio: float | None,
    resolved: Resolved | None = None,
) -> Manifest:
    """Split the rows and, where a source asks for it, thin out the training rows.

    The splits are those of the source's labels: correcting one moves no row.

    Raises:
        UserError: a class with fewer different images than there are splits, or without a
            training image; a group in two predefined splits.
    """
    resolved = resolved or Resolved(keys=own_keys(found.packed))
    before = found.packed.source_labels
    kept = np.array([r for r in range(len(before)) if r not in resolved.left_out], dtype=np.int64)
    keys = [resolved.keys[row] for row in kept.tolist()]
    ratios = {"val_ratio": val_ratio, "test_ratio": test_ratio}
    own = found.packed.splits
    given = Given.from_rows(keys, [own[row] for row in kept.tolist()])
    splits = np.full(len(before), UNUSED)
    splits[kept] = assign(
        keys, before[kept], classes,
        seed=seed, given=given, left_out=LeftOut(found, resolved, classes), **ratios,
    )  # fmt: skip
    if imbalance_ratio:
        place = positions(found.packed.sha256, seed)
        splits = thin_out(before, splits, place, num_classes=len(classes), ratio=imbalance_ratio)
    manifest = _manifest(found, classes, splits)
    _check_trainable(manifest)
    return manifest


def _manifest(found: Collected, classes: tuple[str, ...], splits: np.ndarray) -> Manifest:
    packed = found.packed
    return Manifest(
        classes=classes,
        labels=packed.labels,
        splits=splits,
        sha256=tuple(packed.sha256),
        names=tuple(map(storable, packed.names)),
        groups=tuple(packed.groups),
        widths=packed.widths,
        heights=packed.heights,
    )


def _check_trainable(manifest: Manifest) -> None:
    """Refuse a class that lost its last training image to corrected labels."""
    absent = np.flatnonzero(manifest.counts("train") == 0)
    if len(absent):
        raise UserError(
            f"data/label_fixes.csv: class {escape(manifest.classes[absent[0]])!r} has no training "
            "image left; at least 1 is needed"
        )
