"""Tests that must neither cry wolf nor sleep."""

import numpy as np
import pytest

from thawline.monitoring import two_sample
from thawline.monitoring.two_sample import counts, kolmogorov_smirnov, mmd


@pytest.fixture(autouse=True)
def _fewer_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_sample, "_PERMUTATIONS", 199)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_equal_distributions_give_uniform_p_values() -> None:
    """Of 60 tests at 0.1 about six are below; 15 or more have a chance of 0.0004."""
    found = {"mmd": 0, "counts": 0, "ks": 0}
    for seed in range(60):
        one, other = rng(seed).normal(size=(2, 30, 2))
        found["mmd"] += mmd(one, other, rng(seed))[1] <= 0.1
        found["ks"] += kolmogorov_smirnov(one[:, 0], other[:, 0], rng(seed))[1] <= 0.1
        ids = rng(seed).integers(0, 3, 60)
        found["counts"] += counts(ids[:30], ids[30:], 3, rng(seed))[1] <= 0.1
    assert all(number < 15 for number in found.values()), found


def test_other_distributions_are_told_apart() -> None:
    one = rng(1).normal(size=(80, 3))
    assert mmd(one, rng(2).normal(size=(60, 3)) + 1.5, rng())[1] == 1 / 200
    assert mmd(one, 3 * rng(2).normal(size=(60, 3)), rng())[1] == 1 / 200  # equal means
    assert kolmogorov_smirnov(one[:, 0], one[:, 1] + 2, rng())[1] == 1 / 200
    size, p_value = counts(np.zeros(40, int), np.ones(50, int), 4, rng())
    assert (size, p_value) == (1.0, 1 / 200)


def test_the_distance_is_that_of_scipy() -> None:
    from scipy.stats import ks_2samp

    for seed in range(5):
        one, other = np.round(rng(seed).normal(size=20), 1), np.round(rng(seed + 9).normal(size=33))
        found, _ = kolmogorov_smirnov(one, other, rng())
        expected = ks_2samp(one, other)
        assert found == pytest.approx(expected.statistic)
        untied = rng(seed).normal(size=20), rng(seed + 9).normal(size=33)
        p_value = kolmogorov_smirnov(*untied, rng())[1]
        assert p_value == pytest.approx(ks_2samp(*untied).pvalue, abs=0.12)


def test_samples_without_any_variation_do_not_differ() -> None:
    same = np.ones(40)
    assert kolmogorov_smirnov(same, same, rng()) == pytest.approx((0, 1), abs=1e-9)
    assert mmd(same[:, None], same[:, None], rng())[1] == 1.0
    assert counts(np.zeros(40, int), np.zeros(50, int), 3, rng()) == (0.0, 1.0)
