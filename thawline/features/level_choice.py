"""Choose which blocks a head reads, and whether augmented copies help, by rows left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from thawline.dataset.manifest import Manifest
from thawline.features import ridge
from thawline.features.layer_profile import GroupScore
from thawline.features.levels import TRUNK, BlockFeatures, Changed, Key, key_name
from thawline.features.ridge import LeaveGroupOut
from thawline.runtime.progress import track

MAX_ROWS = 1200
"""Rows that judge groups of blocks and penalties: an accuracy of 0.9 is then known to 0.9 points.
The time of a decomposition grows with the third power of the rows: 0.3 s each here, of some
twenty."""
MOST_LOST = 0.005
"""Largest loss of accuracy for which less network is taken; never more than a standard error of the
difference."""
_MOST_WORSE = 0.01
"""Largest rise of the squared error, likewise; a standard error where that is more. Where few rows
of rare classes weigh much, it tells groups apart that accuracy does not."""
_FEW, _WINDOW = 3, 5
"""Neighbouring blocks that a head reads together."""
_LEAST_EACH = 5
"""Rows of a class in a small sample, on average: with one or two nothing can be left out."""
_QUARTERS = 2
"""Grid of 2 x 2 cells."""
_LATE = 6
"""Number of groups that are judged where a rough answer will do: those of the last three blocks."""


@dataclass(frozen=True, kw_only=True)
class ChoiceSample:
    """Rows that a choice is made by.

    Attributes:
        rows: rows of the store, int64 (N,), ascending, all different.
        labels: classes, int64 (N,).
        weights: weight of each row, float64 (N,).
        groups: int64 (N,), equal for rows that are left out together; None: each by itself.
        num_classes: K.
    """

    rows: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    groups: np.ndarray | None
    num_classes: int


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Choice of what a head reads.

    Attributes:
        keys: blocks with their grids, in the order of the forward pass.
        unit_length: whether their standardised rows are given length one.
        left_out: predictions of the sample's rows by fits without a row's group.
        augmented: whether an augmented copy of each row joins the fit; None where it was not tried.
        augmented_accuracy: accuracy on rows left out, with those copies.
        tried: every group that was judged.
    """

    keys: tuple[Key, ...]
    unit_length: bool
    left_out: LeaveGroupOut
    augmented: bool | None
    augmented_accuracy: float | None
    tried: Mapping[tuple[Key, ...], GroupScore]


def choose(
    features: BlockFeatures,
    sample: ChoiceSample,
    *,
    last_only: bool = False,
    own_linear: bool = True,
    copies: Changed | None = None,
    most_features: int | None = None,
) -> Choice:
    """Choose the group of blocks that a head reads, then whether augmented copies help it.

    Args:
        features: features of rows by block.
        sample: rows that judge, each left out of a fit.
        last_only: whether the head must read what the network's own head would.
        own_linear: whether a head that reads what the network's own does is its linear layer.
        copies: makes an augmented copy of each image; None: none may join the fit.
        most_features: limit for a group; None: any number. What the network's own head reads is
            always judged.
    """
    found = features.compute(sample.rows, [(TRUNK, 1)] if last_only else None)
    groups = candidates(list(found))
    width = {keys: sum(found[key].shape[1] for key in keys) for keys in groups}
    if most_features is not None:
        groups = [k for k in groups if width[k] <= most_features or k == groups[-1]]
    unit_length = {keys: has_unit_length(keys, own_linear=own_linear) for keys in groups}
    out = {
        keys: judge([found[key] for key in keys], sample, unit_length=unit_length[keys])
        for keys in track(groups, "groups of blocks", len(groups))
    }
    keys = _smallest(out, sample.weights)
    tried = {
        group: GroupScore(
            blocks=tuple(key_name(key) for key in group),
            num_features=width[group],
            accuracy=weighted_mean(one.right, sample.weights)[0],
            squared_error=weighted_mean(one.errors, sample.weights)[0],
        )
        for group, one in out.items()
    }
    left_out, augmented, accuracy = out[keys], None, None
    if copies is not None:
        changed = features.compute(sample.rows, keys, changed=copies)
        both = judge(
            [found[key] for key in keys], sample, [changed[key] for key in keys],
            unit_length=unit_length[keys],
        )  # fmt: skip
        accuracy = weighted_mean(both.right, sample.weights)[0]
        change = left_out.right.astype(float) - both.right
        lost, error = weighted_mean(change, sample.weights)
        augmented = lost <= error
        left_out = both if augmented else left_out
    return Choice(
        keys=keys,
        unit_length=unit_length[keys],
        left_out=left_out,
        augmented=augmented,
        augmented_accuracy=accuracy,
        tried=tried,
    )


def judge(
    parts: Sequence[np.ndarray],
    sample: ChoiceSample,
    copies: Sequence[np.ndarray] | None = None,
    *,
    unit_length: bool = False,
) -> LeaveGroupOut:
    """Predict each row of the sample by a fit without it, its group and its copy.

    Args:
        parts: features of each level, float32 (N, D_i).
        sample: labels, weights and groups of those rows.
        copies: features of an altered copy of each row, which joins the fit.
        unit_length: whether standardised rows are given length one.
    """
    num_rows, groups = len(sample.rows), sample.groups
    labels, weights = sample.labels, sample.weights
    if copies is not None:
        parts = [np.concatenate(pair) for pair in zip(parts, copies, strict=True)]
        labels, weights = np.tile(labels, 2), np.tile(weights, 2)
        groups = np.tile(np.arange(num_rows) if groups is None else groups, 2)
    standard = ridge.Standard.from_levels(parts, weights, unit_length=unit_length)
    out = ridge.leave_out(
        standard.apply(np.concatenate(parts, axis=1)), labels, num_classes=sample.num_classes,
        weights=weights, groups=groups,
    )  # fmt: skip
    return LeaveGroupOut(
        penalty=out.penalty,
        scores=out.scores[:num_rows],
        right=out.right[:num_rows],
        errors=out.errors[:num_rows],
    )


def quick_best(
    found: Mapping[Key, np.ndarray], sample: ChoiceSample
) -> tuple[tuple[Key, ...], LeaveGroupOut]:
    """Judge a few groups and return the best: five blocks that end late, and the last one alone.

    `found` are the features of every block, as `extract` gives them.
    """
    groups = candidates(list(found))
    wide = [keys for keys in groups if len(keys) == _WINDOW and any(grid > 1 for _, grid in keys)]
    tried = [*wide[-_LATE:], groups[-1]] if wide else groups
    judged = [
        (
            keys,
            judge(
                [found[key] for key in keys],
                sample,
                unit_length=has_unit_length(keys, own_linear=True),
            ),
        )
        for keys in tried
    ]
    return min(judged, key=lambda one: float(one[1].errors.mean()))


def has_unit_length(keys: Sequence[Key], *, own_linear: bool) -> bool:
    """Tell whether a head gives the rows of a group length one.

    Not where it is the network's own linear layer, which has no room for that. On ten sets (up to
    500 training rows at 128 px, 2x2 grids) it lowered the squared error of rows left out on nine,
    in the mean by 0.003 for blocks 3 to 7 and by 0.007 for blocks 5 to 8, and 0.4 and 0.5 points
    more of the test images were right.
    """
    return not own_linear or any(block != TRUNK for block, _ in keys)


def draw(labels: np.ndarray, rng: np.random.Generator, most: int = MAX_ROWS) -> np.ndarray:
    """Draw positions of a sample, ascending, each class by its share and at least twice."""
    if len(labels) <= most:
        return np.arange(len(labels))
    share = most / len(labels)
    drawn = []
    for k in np.unique(labels):
        of_class = rng.permutation(np.flatnonzero(labels == k))
        drawn.append(of_class[: max(2, round(share * len(of_class)))])
    return np.sort(np.concatenate(drawn))


def small_sample(manifest: Manifest, rows: np.ndarray, most: int, *, seed: int) -> ChoiceSample:
    """Draw at most `most` rows of equal weight; of very many classes, rows of some of them.

    `rows` are int64 (N,), all different.
    """
    rng = np.random.default_rng(seed)
    classes = np.unique(manifest.labels[rows])
    if len(classes) > most // _LEAST_EACH:
        drawn = rng.permutation(classes)[: most // _LEAST_EACH]
        rows = rows[np.isin(manifest.labels[rows], drawn)]
    rows = rows[draw(manifest.labels[rows], rng, most)]
    kept, labels = np.unique(manifest.labels[rows], return_inverse=True)
    return ChoiceSample(
        rows=rows,
        labels=labels.astype(np.int64),
        weights=np.ones(len(rows)),
        groups=number_groups([manifest.groups[row] for row in rows]),
        num_classes=len(kept),
    )


def number_groups(names: Sequence[str | None]) -> np.ndarray | None:
    """Give each group a number, int64 (N,); None where no row has a group.

    A row without one is a group by itself.
    """
    if all(name is None for name in names):
        return None
    keys = [name or f"\0{at}" for at, name in enumerate(names)]
    return np.unique(keys, return_inverse=True)[1]


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Compute a weighted mean and its standard error."""
    share = weights / weights.sum()
    mean = float(share @ values)
    return mean, float(np.sqrt(np.square(share) @ np.square(values - mean)))


def candidates(offered: Sequence[Key]) -> list[tuple[Key, ...]]:
    """List the groups of blocks that a head may read, those that keep the least network first.

    For each block of the last two thirds: it alone, with the two and with the four before it, by
    the finest grids; with the four before it also by quarters; at the end also the plain averages,
    and what the network's own head reads. `offered` are keys in the order of the forward pass, as
    `extract` gives them.
    """
    blocks = list(dict.fromkeys(block for block, _ in offered if block != TRUNK))
    finest = {block: max(grid for b, grid in offered if b == block) for block in blocks}
    found: list[tuple[Key, ...]] = []
    for end in range(len(blocks) // 3, len(blocks)):
        window = blocks[max(0, end - _WINDOW + 1) : end + 1]
        found.append(((blocks[end], finest[blocks[end]]),))
        found.append(tuple((block, finest[block]) for block in window[-_FEW:]))
        found.append(tuple((block, min(_QUARTERS, finest[block])) for block in window))
        found.append(tuple((block, finest[block]) for block in window))
        if end == len(blocks) - 1:
            found.append(tuple((block, 1) for block in window))
    found.append(((TRUNK, 1),))
    return list(dict.fromkeys(found))


def _smallest(out: Mapping[tuple[Key, ...], LeaveGroupOut], weights: np.ndarray) -> tuple[Key, ...]:
    """Find the first group, so that with the least network, which is as good as the best."""
    best = min(out.values(), key=lambda found: float(weights @ found.errors))
    for keys, found in out.items():
        worse, error = weighted_mean(found.errors - best.errors, weights)
        lost, chance = weighted_mean(best.right.astype(float) - found.right, weights)
        if worse <= max(_MOST_WORSE, error) and lost <= min(MOST_LOST, chance):
            return keys
    raise AssertionError("the best loses nothing against itself")
