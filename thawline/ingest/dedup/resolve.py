"""Resolve label conflicts and duplicates that span splits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from thawline.dataset.image_store import ImageStore
from thawline.ingest.dedup import label_conflicts as disputed
from thawline.ingest.dedup import linking, phash_index, thumbnails
from thawline.ingest.dedup.label_conflicts import Conflict
from thawline.ingest.dedup.linking import NearCopy
from thawline.ingest.packing.image_table import PackedRows
from thawline.ingest.splits.predefined_splits import Given
from thawline.ingest.splits.split import natural, positions
from thawline.runtime.escape import escape


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """Outcome of the search for near copies and conflicts.

    Attributes:
        keys: key of each packed row; rows with equal keys share a split.
        left_out: packed rows that no split gets, with the reason.
        conflicts: all conflicts, those of equal pixels first.
        links: rows with a near copy before them.
    """

    keys: Sequence[str]
    left_out: dict[int, str] = field(default_factory=dict)
    conflicts: Sequence[Conflict] = ()
    links: Sequence[NearCopy] = ()


def own_keys(packed: PackedRows) -> list[str]:
    """Return each row's group, else the hash of its pixels."""
    pairs = zip(packed.groups, packed.sha256, strict=True)
    return [sha256 if group is None else group for group, sha256 in pairs]


def resolve(
    packed: PackedRows,
    exact: Sequence[Conflict],
    store: ImageStore,
    *,
    conflicts: str,
    near_distance: int | None,
    seed: int,
    val_ratio: float,
    test_ratio: float,
) -> Resolved:
    """Find near copies if wanted, and decide about every conflict.

    Args:
        packed: the packed rows.
        exact: conflicts of equal pixels.
        store: the packed images, which tell near copies from pictures that share a hash.
        conflicts: drop, keep_first or error.
        near_distance: bits, see `phash_index.find`; None looks for no near copies.
        seed: seed of the split.
        val_ratio: share of validation rows, in (0, 1).
        test_ratio: share of test rows, in (0, 1).

    Raises:
        phash_index.TooManyPairsError: the hash does not tell the pictures apart.
        UserError: conflicts that are an error; a group in two predefined splits.
    """
    names, labels = packed.names, packed.labels.tolist()
    keys = own_keys(packed)
    all_conflicts, links, alike = list(exact), [], None
    if near_distance is not None:
        by_hash = phash_index.find(packed.hashes, near_distance)
        alike = phash_index.verified(by_hash, partial(thumbnails.read, store), near_distance)
        links = linking.links(alike)
        all_conflicts += disputed.from_links(linking.disagreements(alike, labels), names, labels)
    dropped = disputed.left_out(all_conflicts, conflicts)
    first: dict[int, Conflict] = {}
    for one in all_conflicts:
        first.setdefault(one.row, one)
    left_out = {row: _dispute(first[row]) for row in sorted(dropped)}
    if alike is not None:
        given = Given.from_rows(keys, packed.splits)
        place = positions(keys, seed)
        own = natural(keys, place, val_ratio=val_ratio, test_ratio=test_ratio, given=given)
        settled = linking.settle(alike, keys, packed.splits, own, given, without=dropped)
        keys = settled.keys
        left_out |= {row: _bridge(found, row, names) for row, found in settled.bridges.items()}
    return Resolved(keys=keys, left_out=left_out, conflicts=all_conflicts, links=links)


def _dispute(one: Conflict) -> str:
    kind = "copy" if one.other_row is None else "near copy"
    return f"conflict: another label than its {kind} {one.other_image}"


def _bridge(place: dict[str, int], row: int, names: Sequence[str]) -> str:
    listed = ", ".join(
        f"{split} ({'its own group or given split' if twin == row else escape(names[twin], 80)})"
        for split, twin in sorted(place.items())
    )
    return f"near copy in two splits: {listed}"
