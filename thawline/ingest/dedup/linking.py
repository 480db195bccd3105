"""Keep near copies in one split and under one label.

Rows are taken in the order of the source (given test rows first, then val, then train): a row goes
where the near copies before it are, so those stay where they were without it. A row whose copies
lie in two splits already is left out: it would bridge them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from thawline.ingest.dedup.phash_index import Near
from thawline.ingest.splits.predefined_splits import Given, strength


@dataclass(frozen=True, order=True)
class NearCopy:
    """A row and the nearest of its copies that precede it in the source."""

    row: int
    twin: int
    bits: int


@dataclass
class Settled:
    """Keys after near copies were joined.

    Attributes:
        keys: key of each row; near copies share one.
        bridges: rows left out, each with a row of every split in which it has a near copy.
    """

    keys: list[str]
    bridges: dict[int, dict[str, int]]


def links(near: Near) -> list[NearCopy]:
    """List each row with a near copy before it, and the nearest of those; ascending."""
    found = []
    for number, rows in enumerate(near.rows):
        found += [NearCopy(row, rows[0], 0) for row in rows[1:]]
        others = near.neighbours[number].items()
        before = [(b, near.rows[k][0]) for k, b in others if near.rows[k][0] < rows[0]]
        if before:
            bits, twin = min(before)
            found.append(NearCopy(rows[0], twin, bits))
    return sorted(found)


def disagreements(near: Near, labels: Sequence[int]) -> list[NearCopy]:
    """List each row with a near copy under another label, and the nearest of those."""
    found = []
    for number, rows in enumerate(near.rows):
        groups = [(0, rows), *((b, near.rows[k]) for k, b in near.neighbours[number].items())]
        for row in rows:
            other = [
                (bits, twin)
                for bits, twins in groups
                for twin in twins
                if labels[twin] != labels[row]
            ]
            if other:
                bits, twin = min(other)
                found.append(NearCopy(row, twin, bits))
    return sorted(found)


def settle(
    near: Near,
    keys: Sequence[str],
    splits: Sequence[str | None],
    natural: Mapping[str, str],
    given: Given,
    without: Collection[int] = (),
) -> Settled:
    """Join the keys of near copies, without moving earlier rows.

    Args:
        near: the near copies.
        keys: per row its group, else the hash of its pixels.
        splits: per row its predefined split, or None.
        natural: split of each key by itself.
        given: the predefined splits by key.
        without: rows that are left out already.
    """
    order = sorted(range(len(keys)), key=lambda row: -strength(splits[row]))
    first: dict[str, int] = {}
    for row in order:
        if row not in without:
            first.setdefault(keys[row], row)
    number_of = {row: number for number, rows in enumerate(near.rows) for row in rows}
    joined, opened, bridges = _Keys(), dict[int, int](), dict[int, dict[str, int]]()
    for row in order:
        if row not in number_of or row in without:
            continue
        own, number = keys[row], number_of[row]
        twins = [opened[k] for k in (number, *sorted(near.neighbours[number])) if k in opened]
        place = {natural[joined.root(keys[twin])]: twin for twin in reversed(twins)}
        bound = first[own] != row or not all(given.may_move(own, split) for split in place)
        if bound:
            place.setdefault(natural[joined.root(own)], row)
        if len(place) > 1:
            bridges[row] = place
            continue
        opened.setdefault(number, row)
        for twin in twins:
            joined.join(keys[twins[0]], keys[twin])
        joined.join(keys[twins[0]] if twins else own, own)
    return Settled([joined.root(key) for key in keys], bridges)


class _Keys:
    """Union-find; the root of a union is that of its first argument."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, key: str) -> str:
        root = key
        while (parent := self._parent.get(root, root)) != root:
            root = parent
        while key != root:  # shorten the way for the next time
            self._parent[key], key = root, self._parent[key]
        return root

    def join(self, into: str, key: str) -> None:
        into, key = self.root(into), self.root(key)
        if into != key:
            self._parent[key] = into
