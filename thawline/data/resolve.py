"""Settle what contradicts itself in a set: pictures under two labels, copies in two splits."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from thawline.data import conflicts as disputed
from thawline.data import near, twins
from thawline.data.conflicts import Conflict
from thawline.data.given import Given
from thawline.data.items import shown
from thawline.data.packing import Packed
from thawline.data.splits import natural, positions
from thawline.data.twins import Link


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """Attributes:
    keys: per packed row; rows with equal keys share a split.
    left_out: packed rows that no split gets, with the reason.
    conflicts: every one, exact ones first.
    links: rows with a near copy before them.
    """

    keys: Sequence[str]
    left_out: dict[int, str] = field(default_factory=dict)
    conflicts: Sequence[Conflict] = ()
    links: Sequence[Link] = ()


def own_keys(packed: Sequence[Packed]) -> list[str]:
    """Group, else pixels."""
    return [p.group if p.group is not None else p.sha256 for p in packed]


def resolve(
    packed: Sequence[Packed],
    exact: Sequence[Conflict],
    *,
    conflicts: str,
    near_distance: int | None,
    seed: int,
    val_ratio: float,
    test_ratio: float,
) -> Resolved:
    """Find near copies if wanted, and decide about every conflict.

    Args:
        packed: the rows, without pixels.
        exact: equal pixels under two labels.
        conflicts: drop, keep_first or error.
        near_distance: see `near.find`; None looks for no near copies.

    Raises:
        UserError: conflicts that are an error; too many near copies; a group in two given splits.
    """
    names, labels = [p.item_name for p in packed], [p.label for p in packed]
    keys = own_keys(packed)
    all_conflicts, links, alike = list(exact), [], None
    if near_distance is not None:
        alike = near.find([p.looks.dhash for p in packed], near_distance)
        links = twins.links(alike)
        all_conflicts += disputed.of_links(twins.disagreements(alike, labels), names, labels)
    dropped = disputed.left_out(all_conflicts, conflicts)
    first: dict[int, Conflict] = {}
    for one in all_conflicts:
        first.setdefault(one.row, one)
    left_out = {row: _dispute(first[row]) for row in sorted(dropped)}
    if alike is not None:
        given = Given.of(keys, [p.split for p in packed])
        place = positions(keys, seed)
        own = natural(keys, place, val_ratio=val_ratio, test_ratio=test_ratio, given=given)
        settled = twins.settle(alike, keys, [p.split for p in packed], own, given, without=dropped)
        keys = settled.keys
        left_out |= {row: _bridge(found, row, names) for row, found in settled.bridges.items()}
    return Resolved(keys=keys, left_out=left_out, conflicts=all_conflicts, links=links)


def _dispute(one: Conflict) -> str:
    kind = "copy" if one.other_row is None else "near copy"
    return f"conflict: another label than its {kind} {one.other_image}"


def _bridge(place: dict[str, int], row: int, names: Sequence[str]) -> str:
    listed = ", ".join(
        f"{split} ({'its own group or given split' if twin == row else shown(names[twin], 80)})"
        for split, twin in sorted(place.items())
    )
    return f"near copy in two splits: {listed}"
