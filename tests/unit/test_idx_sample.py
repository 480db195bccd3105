"""Rows that a sample of an IDX set takes."""

import numpy as np
import pytest

from benchmarks.idx_sample import drawn


@pytest.mark.parametrize("number", [10, 97, 1000])
def test_each_class_keeps_its_share(number: int) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(4), [700, 200, 90, 10]))
    rows = drawn(labels, number, np.random.default_rng(1))
    assert len(set(rows.tolist())) == number
    assert (np.diff(rows) > 0).all()
    share = np.bincount(labels[rows], minlength=4) / number
    assert np.abs(share - [0.7, 0.2, 0.09, 0.01]).max() <= 1 / number
    assert rows.tolist() == drawn(labels, number, np.random.default_rng(1)).tolist()
