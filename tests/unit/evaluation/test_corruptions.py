from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from thawline.evaluation import robustness


def pictures(number: int = 4) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 190, (number, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


def batches(size: int = 4) -> list[np.ndarray]:
    images = pictures()
    return [images[i : i + size] for i in range(0, len(images), size)]


@pytest.mark.parametrize("name", robustness.CORRUPTIONS)
def test_a_higher_severity_changes_an_image_more(name: str) -> None:
    images = pictures().astype(float)
    change = [
        np.abs(np.concatenate([*robustness.corrupted(batches(), name, s, 0)]) - images).mean()
        for s in robustness.SEVERITIES
    ]
    assert 0 < change[0] < change[1] < change[2]


@pytest.mark.parametrize("name", robustness.CORRUPTIONS)
def test_the_size_of_a_batch_does_not_show(name: str) -> None:
    whole = np.concatenate([*robustness.corrupted(batches(4), name, 2, 7)])
    apart = np.concatenate([*robustness.corrupted(batches(1), name, 2, 7)])
    np.testing.assert_array_equal(whole, apart)
    assert whole.dtype == np.uint8


def test_every_corruption_is_scored_at_every_severity(tmp_path: Path) -> None:
    def by_brightness(given: Iterable[np.ndarray]) -> np.ndarray:
        means = np.concatenate([batch.mean(axis=(1, 2, 3)) for batch in given])
        return np.stack([means < 160, means >= 160], axis=1).astype(np.float32)

    found = robustness.measure(by_brightness, batches, np.zeros(4, np.int64), seed=1)
    assert len(found) == len(robustness.CORRUPTIONS) * 3
    scored = {(r.corruption, r.severity): r.accuracy for r in found}
    assert scored["blur", 3] == 1
    assert scored["brightness", 3] < 1
    robustness.write(tmp_path / "c.csv", found)
    assert (tmp_path / "c.csv").read_text().startswith("corruption,severity,accuracy\nnoise,1,1.0")
