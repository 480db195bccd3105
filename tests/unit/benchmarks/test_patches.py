"""The data set that is cut from photographs for a benchmark."""

import numpy as np

from benchmarks.patches import patches


def photograph(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (rows, columns, 3), dtype=np.uint8)


def test_squares_do_not_overlap_and_lie_in_the_photograph() -> None:
    pixels = photograph(21, 32)
    found = patches(pixels, 8, 100)
    assert len(found) == 2 * 4
    assert np.array_equal(found[5], pixels[8:16, 8:16])


def test_at_most_so_many_from_all_over() -> None:
    pixels = photograph(16, 16)
    found = patches(pixels, 4, 3)
    assert [np.array_equal(found[at], pixels[r : r + 4, c : c + 4]) for at, r, c in (
        (0, 0, 0), (1, 4, 12), (2, 12, 12)
    )] == [True] * 3  # fmt: skip


def test_plain_squares_are_left_out() -> None:
    pixels = photograph(8, 16)
    pixels[:, :8] = 200
    assert len(patches(pixels, 8, 9)) == 1
