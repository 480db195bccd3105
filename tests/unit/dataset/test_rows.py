"""Rows survive their file, and count what a head trains on."""

from pathlib import Path

import numpy as np
import pytest

from thawline.dataset.rows import Rows

LABELS = np.array([0, 0, 1, 2])


@pytest.mark.parametrize("targets", [None, np.array([2, 5, 2])])
def test_what_is_written_is_read(tmp_path: Path, targets: np.ndarray | None) -> None:
    weights = np.array([1.0, 2.5, 0.1])
    rows = Rows(indices=np.array([0, 2, 2]), class_weights=weights, targets=targets)
    rows.write(tmp_path / "rows.parquet")
    back = Rows.read(tmp_path / "rows.parquet")
    assert back.indices.tolist() == [0, 2, 2]
    assert back.class_weights.tolist() == weights.tolist()
    assert (back.targets is None) if targets is None else np.array_equal(back.targets, targets)


def test_counts_repeats_and_synthetic_features() -> None:
    repeated = Rows(indices=np.array([0, 1, 2, 2, 2, 3]), class_weights=np.ones(3))
    assert repeated.counts(LABELS, 3).tolist() == [2, 3, 1]
    targets = np.array([2, 2, 2])
    filled = Rows(indices=np.arange(4), class_weights=np.ones(3), targets=targets)
    assert filled.counts(LABELS, 3).tolist() == [2, 2, 2]
