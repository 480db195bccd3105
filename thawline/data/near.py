"""Which pictures are near copies of each other: perceptual hashes that differ in a few bits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thawline.data.looks import HASH_BITS
from thawline.errors import UserError

MAX_PAIRS = 1_000_000
"""Of different hashes. More are no copies: the pictures are too small or too alike for the hash."""


@dataclass(frozen=True, kw_only=True)
class Near:
    """Pictures by their hash.

    Attributes:
        rows: per hash that has a near copy, its rows, ascending; the hash's number is its place.
        neighbours: per hash, the others within the distance, with the distance in bits.
    """

    rows: tuple[tuple[int, ...], ...]
    neighbours: tuple[dict[int, int], ...]


def find(hashes: Sequence[int | None], distance: int) -> Near:
    """Near copies among the hashes of all rows; rows whose hash is None have none.

    Two hashes within d bits agree in at least one of d + 1 bands, so only rows that share a band
    are compared: 100,000 pictures take about a second, all pairs would take minutes.

    Args:
        distance: bits in which near copies differ at most, in [0, 8].

    Raises:
        UserError: more than MAX_PAIRS pairs.
    """
    rows_of: dict[int, list[int]] = {}
    for row, value in enumerate(hashes):
        if value is not None:
            rows_of.setdefault(value, []).append(row)
    values = np.fromiter(rows_of, dtype=np.uint64, count=len(rows_of))
    pairs = _pairs(values, distance)
    members = list(rows_of.values())
    alike = np.flatnonzero([len(rows) > 1 for rows in members])
    involved = np.unique(np.concatenate([pairs.ravel(), alike])).tolist()
    place = {number: at for at, number in enumerate(involved)}
    neighbours: tuple[dict[int, int], ...] = tuple({} for _ in involved)
    apart = np.bitwise_count(values[pairs[:, 0]] ^ values[pairs[:, 1]])
    for (one, other), bits in zip(pairs.tolist(), apart.tolist(), strict=True):
        neighbours[place[one]][place[other]] = bits
        neighbours[place[other]][place[one]] = bits
    return Near(rows=tuple(tuple(members[k]) for k in involved), neighbours=neighbours)


def _pairs(values: np.ndarray, distance: int) -> np.ndarray:
    """Places of different hashes within the distance, each pair once: int64 (P, 2), ascending."""
    found = [np.empty((0, 2), dtype=np.int64)]
    total = 0
    for first in range(distance + 1):
        # Every (d + 1)-th bit: neighbouring ones go together too often to tell pictures apart.
        mask = sum(1 << bit for bit in range(first, HASH_BITS, distance + 1))
        for pairs in _in_band(values, values & np.uint64(mask), distance):
            total += len(pairs)
            found.append(pairs)
            if total > MAX_PAIRS * (distance + 1):  # a pair may show in every band
                raise _too_many(distance)
    unique = np.unique(np.concatenate(found), axis=0)
    if len(unique) > MAX_PAIRS:
        raise _too_many(distance)
    return unique


def _in_band(values: np.ndarray, band: np.ndarray, distance: int) -> list[np.ndarray]:
    """Compare each hash with the next, the next but one, ... of those with the same band."""
    order = np.argsort(band, kind="stable")
    band, values = band[order], values[order]
    at = np.arange(len(values))
    found, size = [], 0
    for step in range(1, len(values)):
        at = at[at + step < len(values)]
        at = at[band[at + step] == band[at]]
        if not len(at):
            break
        close = at[np.bitwise_count(values[at] ^ values[at + step]) <= distance]
        size += len(close)
        if size > MAX_PAIRS:
            raise _too_many(distance)
        if len(close):
            found.append(np.sort(np.stack([order[close], order[close + step]], axis=1), axis=1))
    return found


def _too_many(distance: int) -> UserError:
    return UserError(
        f"ingest.near_duplicate_distance: {distance} makes more than {MAX_PAIRS} pairs of near "
        "copies: these images are too small or too alike to be told apart so; allowed: a smaller "
        "distance, or null to look for none"
    )
