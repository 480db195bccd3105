"""Assign rows to splits by a hash of their content, so that a row never moves.

A row's place depends on the seed and on its own key (its group, else its pixels), not on its
position or on other rows: images that are added later leave the others where they are. Shares
are therefore approximate. Only in a class too small to fill a split by chance, its row nearest to
the threshold is taken.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from thawline.errors import UserError
from thawline.ingest.labels.class_names import alike
from thawline.ingest.splits.predefined_splits import NONE, Given
from thawline.runtime.escape import escape

SPLITS = ("train", "val", "test")
UNUSED = "unused"
_MAX_NAMED = 20


class Explanation(Protocol):
    """Explanation of images that count for no class, in words."""

    def describe_class(self, label: int) -> str:
        """Count excluded images of a class by reason; empty where there are none."""

    def examples(self, labels: Sequence[int]) -> str:
        """Name some, as sentences to append; empty where there are none."""


class _Nothing:
    def describe_class(self, label: int) -> str:  # noqa: ARG002 - as the protocol has it
        return ""

    def examples(self, labels: Sequence[int]) -> str:  # noqa: ARG002
        return ""


def positions(keys: Sequence[str], seed: int) -> np.ndarray:
    """Hash each key to a number, uniform in [0, 1): float64 (N,). Equal keys agree."""
    digests = (hashlib.sha256(f"{seed}:{key}".encode()).digest() for key in keys)
    return np.array([int.from_bytes(d[:8], "big") / 2.0**64 for d in digests], dtype=np.float64)


def assign(
    keys: Sequence[str],
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    seed: int,
    val_ratio: float,
    test_ratio: float,
    given: Given = NONE,
    left_out: Explanation | None = None,
) -> np.ndarray:
    """Split every row into train, val and test.

    Args:
        keys: group or content hash per row; rows with equal keys share a split.
        labels: int64 (N,), index into classes.
        classes: names of the classes.
        seed: seed of the hash.
        val_ratio: share of validation rows, in (0, 1).
        test_ratio: share of test rows, in (0, 1).
        given: predefined splits, which are kept whatever the hash says.
        left_out: explains what became of a class's other images, for a message.

    Returns:
        Array of str (N,), each of SPLITS. Every class has a row in every split, except in a
        predefined val or test split that lacks it.

    Raises:
        UserError: a class has fewer keys than there are splits, or no row that may train.
    """
    place = positions(keys, seed)
    split_of = natural(keys, place, val_ratio=val_ratio, test_ratio=test_ratio, given=given)
    keys_of = [_ordered_keys(keys, place, np.flatnonzero(labels == k)) for k in range(len(classes))]
    _fill_missing(split_of, keys_of, classes, given, left_out or _Nothing())
    return np.array([split_of[key] for key in keys])


def natural(
    keys: Sequence[str], place: np.ndarray, *, val_ratio: float, test_ratio: float, given: Given
) -> dict[str, str]:
    """Assign each key by its own hash or as predefined, before any class is filled up."""
    splits = np.where(
        place < test_ratio, "test", np.where(place < test_ratio + val_ratio, "val", "train")
    )
    return given.settle(dict(zip(keys, splits.tolist(), strict=True)))


def thin_out(
    labels: np.ndarray, splits: np.ndarray, place: np.ndarray, *, num_classes: int, ratio: float
) -> np.ndarray:
    """Make training rows long-tailed: class sizes fall exponentially to 1/ratio of the largest.

    The profile is that of CIFAR-LT (Cui et al., 2019, "Class-balanced loss based on effective
    number of samples"). Validation and test rows stay.

    Returns:
        A copy of splits in which the left-out training rows are `unused`.
    """
    thinned = splits.astype("<U6")
    sizes = [int(((labels == k) & (splits == "train")).sum()) for k in range(num_classes)]
    for label in range(num_classes):
        wanted = max(1, round(max(sizes) * ratio ** (-label / max(1, num_classes - 1))))
        rows = np.flatnonzero((labels == label) & (splits == "train"))
        thinned[rows[np.argsort(place[rows], kind="stable")][wanted:]] = UNUSED
    return thinned


def _ordered_keys(keys: Sequence[str], place: np.ndarray, rows: np.ndarray) -> list[str]:
    ordered = rows[np.argsort(place[rows], kind="stable")]
    return list(dict.fromkeys(keys[row] for row in ordered.tolist()))


def _fill_missing(
    split_of: dict[str, str],
    keys_of: Sequence[Sequence[str]],
    classes: Sequence[str],
    given: Given,
    left_out: Explanation,
) -> None:
    """Move whole keys until every class is in every split; none loses its last one."""
    held = [Counter(split_of[key] for key in keys) for keys in keys_of]
    if not given.splits:
        _check_numbers(classes, [len(keys) for keys in keys_of], left_out)
    if all(len(+there) == len(SPLITS) for there in held):
        return
    classes_of: dict[str, list[int]] = {}  # 0.2 kB a key, hence only where it is needed
    for label, keys in enumerate(keys_of):
        for key in keys:
            classes_of.setdefault(key, []).append(label)
    for label, keys in enumerate(keys_of):
        for split in ("test", "val", "train"):
            if held[label][split]:
                continue
            nearest = [key for key in keys if given.may_move(key, split)]
            if split == "train":
                nearest.reverse()
            spare = _spare(nearest, split_of, classes_of, held)
            if spare is None and split != "train" and split in given.splits:
                continue
            if spare is None:
                may_train = any(given.may_move(key, "train") for key in keys)
                lacking = split if may_train else "train"
                raise UserError(
                    _cannot_fill(classes[label], lacking, held[label], given)
                    + _lookalikes([label], classes)
                    + _beside(left_out, label)
                    + left_out.examples([label])
                )
            for other in classes_of[spare]:
                held[other] += Counter({split: 1})
                held[other] -= Counter({split_of[spare]: 1})
            split_of[spare] = split


def _cannot_fill(name: str, split: str, held: Counter[str], given: Given) -> str:
    if not given.splits:
        return (
            f"the groups of class {escape(name)!r} cannot be divided "
            f"among {', '.join(SPLITS)}: other classes need them where they are"
        )
    there = ", ".join(f"{count} in {place}" for place, count in held.items() if count) or "none"
    return (
        f"class {escape(name)!r} has no image for {split}; at least 1 is needed. Its "
        f"different images or groups, in the splits that the set gives: {there}"
    )


def _check_numbers(classes: Sequence[str], num_keys: Sequence[int], left_out: Explanation) -> None:
    """Refuse classes that are too small, all at once: packing a large set takes minutes."""
    small = [label for label, count in enumerate(num_keys) if count < len(SPLITS)]
    if small:
        named = small[:_MAX_NAMED]
        listed = ", ".join(
            f"{escape(classes[k], 60)!r} has {num_keys[k]}{_beside(left_out, k)}" for k in named
        )
        raise UserError(
            f"class {listed} different image(s) or group(s); "
            f"at least {len(SPLITS)} are needed, one each for {', '.join(SPLITS)}"
            + (f"; so have {len(small) - _MAX_NAMED} more" if len(small) > _MAX_NAMED else "")
            + _lookalikes(named, classes)
            + left_out.examples(named)
        )


def _beside(left_out: Explanation, label: int) -> str:
    text = left_out.describe_class(label)
    return f" (beside {text})" if text else ""


def _lookalikes(labels: Iterable[int], classes: Sequence[str]) -> str:
    """Describe small classes that may be another spelling of a larger one."""
    return "".join(
        f"; {escape(other, 60)!r} and {escape(classes[label], 60)!r} differ by {difference}"
        for label in labels
        for other, difference in alike(classes[label], classes)[:1]
    )


def _spare(
    keys: Iterable[str],
    split_of: Mapping[str, str],
    classes_of: Mapping[str, Sequence[int]],
    held: Sequence[Counter[str]],
) -> str | None:
    """Find the first key that is nowhere the last one of its class in its split."""
    return next(
        (key for key in keys if all(held[k][split_of[key]] > 1 for k in classes_of[key])), None
    )
