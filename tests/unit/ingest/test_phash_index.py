"""Near copies are all found, without comparing all pairs."""

import time

import numpy as np
import pytest

from thawline.errors import UserError
from thawline.ingest.dedup import phash_index


def drawn(seed: int, number: int) -> list[int]:
    """Hashes with many near ones: a few base hashes, some bits flipped."""
    rng = np.random.default_rng(seed)
    bases = rng.integers(0, 2**63, 12).tolist()
    flipped = [sum(1 << int(bit) for bit in rng.choice(64, rng.integers(0, 7), replace=False))
               for _ in range(number)]  # fmt: skip
    return [bases[k % 12] ^ flips for k, flips in enumerate(flipped)]


@pytest.mark.parametrize("distance", [0, 1, 3, 4, 8])
@pytest.mark.parametrize("seed", range(3))
def test_the_same_pairs_as_by_comparing_all(seed: int, distance: int) -> None:
    hashes = drawn(seed, 150)
    wanted = {
        (i, j)
        for i in range(150)
        for j in range(i)
        if (hashes[i] ^ hashes[j]).bit_count() <= distance
    }
    found = phash_index.find(hashes, distance)
    pairs = set()
    for number, rows in enumerate(found.rows):
        groups = [rows, *(found.rows[k] for k in found.neighbours[number])]
        pairs |= {(i, j) for i in rows for group in groups for j in group if j < i}
        for other, bits in found.neighbours[number].items():
            assert bits == (hashes[rows[0]] ^ hashes[found.rows[other][0]]).bit_count()
            assert found.neighbours[other][number] == bits
    assert pairs == wanted


def test_what_has_no_hash_has_no_copy() -> None:
    assert phash_index.find([None, None, 5, None], 4).rows == ()
    assert phash_index.find([], 4).rows == ()
    assert phash_index.find([7], 4).rows == ()


def test_equal_hashes_are_one_group_however_many() -> None:
    """All pairs of them would be 200 million."""
    found = phash_index.find([3] * 20_000, 4)
    assert found.rows == (tuple(range(20_000)),)


def test_a_hundred_thousand_take_seconds() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**63, 100_000).tolist()
    started = time.process_time()
    phash_index.find(hashes, 4)
    assert time.process_time() - started < 5


def test_pictures_that_are_all_alike_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phash_index, "MAX_PAIRS", 1000)
    with pytest.raises(UserError) as caught:
        phash_index.find([1 << k for k in range(64)], 4)
    text = str(caught.value)
    assert all(part in text for part in ("near_duplicate_distance", "4", "1000", "null"))
