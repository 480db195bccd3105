"""Test whether two samples have the same distribution, by permutation tests, exact for any sizes.

Each returns a p-value: the share of random divisions of the pooled sample that differ at least as
much as the given one, itself included (Phipson and Smyth, 2010), so never 0.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Statistic = Callable[[Floats], Floats]
"""Function of divisions (M + N, B), 1/M for a row of the one and -1/N for one of the other:
(B,)."""
_PERMUTATIONS = 1999
_ROUNDING = 1e-10
"""Sums in another order differ in the last bits: equal divisions must count as equal."""
_CHUNK = 250
"""Permutations at a time: bounds the memory to 8 bytes * rows * _CHUNK."""


def mmd(one: Floats, other: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """Compute the squared maximum mean discrepancy with a Gaussian kernel, and its p-value.

    Source: Gretton et al., 2012, "A kernel two-sample test"; bandwidth by their median heuristic.

    Args:
        one: (M, D), M >= 1.
        other: (N, D), N >= 1.
        rng: source of randomness.
    """
    pooled = np.concatenate([one, other]).astype(np.float64)
    kernel = _kernel(pooled)

    def statistic(weights: Floats) -> Floats:
        found: Floats = np.einsum("nb,nb->b", weights, kernel @ weights)
        return found

    return _permuted(len(one), len(other), statistic, rng)


def counts(
    one: NDArray[np.int64], other: NDArray[np.int64], num_classes: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Compute the largest difference of a class's share, and Pearson's chi-squared p-value.

    Args:
        one: class ids, int64 (M,).
        other: class ids, int64 (N,).
        num_classes: number of classes.
        rng: source of randomness.
    """
    pooled = np.concatenate([one, other])
    members = (pooled[:, None] == np.arange(num_classes)).astype(np.float64)
    share = members.mean(axis=0)
    scale = np.divide(1, share, out=np.zeros(num_classes), where=share > 0)

    def statistic(weights: Floats) -> Floats:
        found: Floats = (np.square(members.T @ weights) * scale[:, None]).sum(axis=0)
        return found

    _, p_value = _permuted(len(one), len(other), statistic, rng)
    shares = [np.bincount(ids, minlength=num_classes) / len(ids) for ids in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max()), p_value


def kolmogorov_smirnov(one: Floats, other: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """Compute the largest distance of the cumulative distributions, in [0, 1], and its p-value.

    Args:
        one: (M,).
        other: (N,).
        rng: source of randomness.
    """
    pooled = np.concatenate([one, other])
    order = np.argsort(pooled, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(pooled[order]) > 0, True))  # equal values step at once

    def statistic(weights: Floats) -> Floats:
        found: Floats = np.abs(np.cumsum(weights[order], axis=0)[ends]).max(axis=0)
        return found

    return _permuted(len(one), len(other), statistic, rng)


def _permuted(
    num_one: int, num_other: int, statistic: Statistic, rng: np.random.Generator
) -> tuple[float, float]:
    """Compute the statistic of the given division, and its p-value among random ones."""
    weights = np.concatenate([np.full(num_one, 1 / num_one), np.full(num_other, -1 / num_other)])
    observed = float(statistic(weights[:, None])[0])
    at_least = 1
    for start in range(0, _PERMUTATIONS, _CHUNK):
        size = min(_CHUNK, _PERMUTATIONS - start)
        drawn = rng.permuted(np.tile(weights, (size, 1)), axis=1).T
        at_least += int((statistic(drawn) >= observed - _ROUNDING).sum())
    return observed, at_least / (_PERMUTATIONS + 1)


def _kernel(rows: Floats) -> Floats:
    squares = np.square(rows).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0)
    median = float(np.median(distances[np.triu_indices(len(rows), 1)])) if len(rows) > 1 else 0.0
    found: Floats = np.exp(-distances / (median or 1.0))
    return found
