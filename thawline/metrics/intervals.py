"""Compute intervals of the overall scores, given how few test images there are.

All are percentile bootstrap intervals over the test rows (Efron and Tibshirani, 1993, chapter 13).
"""

from collections.abc import Iterator

import numpy as np

from thawline.metrics.classification import (
    Floats,
    Ints,
    bootstrap_interval,
    negative_log_likelihoods,
)

Interval = tuple[float, float]
_CELLS = 2_000_000
"""Numbers drawn at a time, which limits the memory to 16 MB."""


def intervals(
    probabilities: Floats,
    labels: Ints,
    *,
    rare: Ints,
    rng: np.random.Generator,
    resamples: int,
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """Compute intervals of balanced accuracy, macro-F1, rare recall, NLL and Brier score.

    Args:
        probabilities: float32 (N, K), rows summing to 1.
        labels: int64 (N,).
        rare: the classes whose mean recall is the rare recall.
        rng: the only source of randomness.
        resamples: number of resamples.
        confidence: coverage of the intervals, in (0, 1).
    """
    predicted = probabilities.argmax(axis=1)
    counted = _counted(labels, predicted, probabilities.shape[1], rare, rng, resamples)
    losses = np.stack(
        [negative_log_likelihoods(probabilities, labels), brier_scores(probabilities, labels)]
    )
    means = _means(losses, rng, resamples)
    draws = {**counted, "nll": means[0], "brier": means[1]}
    found = {name: _quantiles(values, confidence) for name, values in draws.items()}
    concerned = {
        "balanced_accuracy": np.ones(len(labels), bool),
        "macro_f1": np.ones(len(labels), bool),
        "rare_recall": np.isin(labels, rare),
    }
    for name, rows in concerned.items():
        right = predicted[rows] == labels[rows]
        if right.all() or not right.any():
            # All resamples are equal; take the open end of the exact interval instead.
            found[name] = bootstrap_interval(right, rng=rng, confidence=confidence)
    return found


def brier_scores(probabilities: Floats, labels: Ints) -> Floats:
    """Compute each prediction's squared distance from the truth, float64 (N,), in [0, 2].

    Source: G. Brier, 1950, "Verification of forecasts expressed in terms of probability".
    """
    values = probabilities.astype(np.float64)
    of_truth = values[np.arange(len(labels)), labels]
    found: Floats = (values**2).sum(axis=1) - 2 * of_truth + 1
    return found


def _counted(
    labels: Ints,
    predicted: Ints,
    num_classes: int,
    rare: Ints,
    rng: np.random.Generator,
    resamples: int,
) -> dict[str, Floats]:
    """Resample the scores that the confusion matrix determines, float64 (resamples,) each.

    Rows drawn with replacement make the cells of the matrix multinomial, so cells are drawn instead
    of rows: for a million rows in a hundred occupied cells that is ten thousand times less.
    """
    cells, counts = np.unique(labels * num_classes + predicted, return_counts=True)
    truth, guess = np.divmod(cells, num_classes)
    parts = []
    for size in _chunks(resamples, len(cells)):
        drawn = rng.multinomial(len(labels), counts / len(labels), size=size)
        hits, support, answered = (
            _per_class(drawn[:, of], which[of], num_classes)
            for of, which in (
                (truth == guess, truth), (slice(None), truth), (slice(None), guess),
            )
        )  # fmt: skip
        parts.append(_ratios(hits, support, answered, rare))
    joined = np.concatenate(parts, axis=1)
    return dict(zip(("balanced_accuracy", "macro_f1", "rare_recall"), joined, strict=True))


def _ratios(hits: Floats, support: Floats, answered: Floats, rare: Ints) -> Floats:
    """Compute balanced accuracy, macro-F1, rare recall of resamples, float64 (3, resamples)."""
    with np.errstate(invalid="ignore"):
        recall = hits / support
        f1 = 2 * hits / (support + answered)
    return np.stack([_mean(recall), _mean(f1), _mean(recall[:, rare])])


def _mean(values: Floats) -> Floats:
    """Average over the classes that a resample has; NaN where it has none."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    mean: Floats = np.full(len(values), np.nan)
    np.divide(total, known.sum(axis=1), out=mean, where=known.any(axis=1))
    return mean


def _per_class(drawn: Ints, which: Ints, num_classes: int) -> Floats:
    """Add up columns by class, float64 (resamples, K)."""
    out = np.zeros((num_classes, len(drawn)))
    np.add.at(out, which, drawn.T)
    return out.T


def _means(losses: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    """Average over rows drawn with replacement, float64 (len(losses), resamples)."""
    num_rows = losses.shape[1]
    parts = [
        losses[:, rng.integers(0, num_rows, (size, num_rows))].mean(axis=2)
        for size in _chunks(resamples, num_rows)
    ]
    return np.concatenate(parts, axis=1)


def _chunks(resamples: int, width: int) -> Iterator[int]:
    size = max(1, _CELLS // width)
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def _quantiles(values: Floats, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)
