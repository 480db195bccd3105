"""Find near copies: perceptual hashes that differ in a few bits, and thumbnails that agree."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, islice, product

import numpy as np

from thawline.errors import UserError
from thawline.ingest.decoding.image_stats import HASH_BITS
from thawline.ingest.dedup import thumbnails

MAX_PAIRS = 1_000_000
"""Pairs of different hashes. More are no copies: the pictures are too small or too alike for the
hash."""
_MAX_FIRST = 256
"""Different pictures of one hash that a further one is compared with."""
_CHUNK = 4096


class TooManyPairsError(UserError):
    """Raised when the hash does not tell these pictures apart."""


@dataclass(frozen=True, kw_only=True)
class Near:
    """Groups of pictures with equal hashes, and their neighbours.

    Attributes:
        rows: rows of each group that has a near copy, ascending; a group's number is its index.
        neighbours: per group the other groups within the distance, with the distance in bits.
    """

    rows: tuple[tuple[int, ...], ...]
    neighbours: tuple[dict[int, int], ...]


def find(hashes: Sequence[int | None], distance: int) -> Near:
    """Find near copies among the hashes of all rows.

    Two hashes within d bits agree in at least one of d + 1 bands, so only rows that share a band
    are compared: 100,000 pictures take about a second, all pairs would take minutes.

    Args:
        hashes: 64-bit hash of each row; rows with None have no near copies.
        distance: bits in which near copies differ at most, in [0, 8].

    Raises:
        TooManyPairsError: there are more than MAX_PAIRS of them.
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


def verified(found: Near, look: Callable[[list[int]], np.ndarray], distance: int) -> Near:
    """Keep the near copies whose thumbnails agree, see `thumbnails.agree`.

    64 bits of light and shade are few: most pairs of drawings that share them show other things.
    Rows of one hash are split into groups that look like their first row; then the groups are
    compared.

    Args:
        found: near copies by hash.
        look: gives the thumbnails of rows, as `thumbnails.read` does.
        distance: bits in which near copies differ at most, for the message of the error.

    Raises:
        TooManyPairsError: there are more than MAX_PAIRS to compare.
    """
    order = [row for rows in found.rows for row in rows]
    images = look(order)
    place = {row: at for at, row in enumerate(order)}
    groups: list[tuple[int, ...]] = []
    groups_of: list[range] = []
    for rows in found.rows:
        before = len(groups)
        groups += _split(rows, images[[place[row] for row in rows]])
        groups_of.append(range(before, len(groups)))
    first = images[[place[rows[0]] for rows in groups]]
    neighbours: list[dict[int, int]] = [{} for _ in groups]
    for one, other, bits in _agreeing(found, groups_of, first, distance):
        neighbours[one][other] = neighbours[other][one] = bits
    kept = [k for k, rows in enumerate(groups) if len(rows) > 1 or neighbours[k]]
    number = {k: at for at, k in enumerate(kept)}
    return Near(
        rows=tuple(groups[k] for k in kept),
        neighbours=tuple({number[j]: bits for j, bits in neighbours[k].items()} for k in kept),
    )


def _split(rows: tuple[int, ...], images: np.ndarray) -> list[tuple[int, ...]]:
    """Split rows of one hash into groups that look alike."""
    firsts: list[int] = []
    groups: list[list[int]] = []
    for at, row in enumerate(rows):
        alike = np.flatnonzero(thumbnails.agree(images[at][None], images[firsts[:_MAX_FIRST]]))
        if len(alike):
            groups[alike[0]].append(row)
        else:
            firsts.append(at)
            groups.append([row])
    return [tuple(group) for group in groups]


def _agreeing(
    found: Near, groups_of: Sequence[range], first: np.ndarray, distance: int
) -> Iterator[tuple[int, int, int]]:
    """Yield each pair of neighbouring groups that look alike, once, with the bits between them."""
    total = 0
    candidates = _candidates(found, groups_of)
    while chunk := list(islice(candidates, _CHUNK)):
        total += len(chunk)
        if total > MAX_PAIRS:
            raise _too_many(distance)
        ones, others = ([pair[side] for pair in chunk] for side in (0, 1))
        yield from compress(chunk, thumbnails.agree(first[ones], first[others]))


def _candidates(found: Near, groups_of: Sequence[range]) -> Iterator[tuple[int, int, int]]:
    for one, others in enumerate(found.neighbours):
        for other, bits in others.items():
            if other > one:
                yield from ((a, b, bits) for a, b in product(groups_of[one], groups_of[other]))


def _pairs(values: np.ndarray, distance: int) -> np.ndarray:
    """Find pairs of different hashes within the distance, once each: int64 (P, 2), ascending."""
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
    """Compare each hash with its 1st, 2nd, ... successor in the same band."""
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


def _too_many(distance: int) -> TooManyPairsError:
    return TooManyPairsError(
        f"ingest.near_duplicate_distance: {distance} makes more than {MAX_PAIRS} pairs of near "
        "copies: these images are too small or too alike to be told apart so; allowed: a smaller "
        "distance, or null to look for none"
    )
