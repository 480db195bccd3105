"""Score predicted classes: accuracy, per-class scores, likelihood."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of one set of predictions; every ratio in [0, 1]."""

    num_images: int
    accuracy: float
    balanced_accuracy: float
    """Mean recall of the classes that occur."""
    macro_f1: float
    """Mean F1 of the classes that occur or are predicted; every class counts the same."""
    nll: float
    """Mean negative log-likelihood of the true class, nats."""
    precision: Floats
    """Precision per class, float64 (K,); 0 for a class that was never predicted."""
    recall: Floats
    """Recall per class, float64 (K,); 0 for a class that never occurs."""
    f1: Floats
    """F1 per class, float64 (K,)."""
    support: Ints
    """True rows per class, int64 (K,)."""
    confusion: Ints
    """Confusion matrix: rows are true classes, columns predicted ones, int64 (K, K)."""

    def headline(self) -> dict[str, float]:
        """Return the overall scores, by their names in metrics.json."""
        return {
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "nll": self.nll,
            "kappa": self.kappa,
        }

    @property
    def kappa(self) -> float:
        """Agreement beyond chance, in [-1, 1]; 0 where chance alone agrees (Cohen, 1960)."""
        rows, columns = self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        by_chance = float(rows @ columns) / self.num_images**2
        return (self.accuracy - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0


def score(probabilities: Floats, labels: Ints) -> Scores:
    """Score predictions; of equal probabilities the lower class id is the prediction.

    Args:
        probabilities: float32 (N, K), rows summing to 1.
        labels: true class ids, int64 (N,), in [0, K).

    Raises:
        ValueError: there are no rows, shapes differ, labels are out of range, or rows are no
            distributions.
    """
    check(probabilities, labels)
    num_classes = probabilities.shape[1]
    confusion = confusion_matrix(labels, probabilities.argmax(axis=1), num_classes)
    hits, support = np.diag(confusion), confusion.sum(axis=1)
    predicted = confusion.sum(axis=0)
    recall, precision = _ratio(hits, support), _ratio(hits, predicted)
    f1 = _ratio(2 * hits, support + predicted)
    return Scores(
        num_images=len(labels),
        accuracy=float(hits.sum() / len(labels)),
        balanced_accuracy=float(recall[support > 0].mean()),
        macro_f1=float(f1[support + predicted > 0].mean()),
        nll=negative_log_likelihood(probabilities, labels),
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
        confusion=confusion,
    )


def rare_recall(recall: Floats, support: Ints, train_counts: Ints) -> float:
    """Average the recall over the rarest third of the classes that are scored, at least one.

    A measure of the long tail, after the few-shot classes of Liu et al., 2019, "Large-scale
    long-tailed recognition in an open world"; theirs are those of under 20 training images, which
    a small set may not have at all. Of equal counts the lower class id is the rarer one.

    Args:
        recall: recall per class on the scored rows, (K,).
        support: scored rows per class, (K,).
        train_counts: training rows per class before rebalancing, int64 (K,).
    """
    return float(recall[rare_classes(support, train_counts)].mean())


def rare_classes(support: Ints, train_counts: Ints) -> Ints:
    """List the rarest third of the classes that are scored, rarest first; see `rare_recall`."""
    by_count = np.argsort(train_counts, kind="stable")
    scored = by_count[support[by_count] > 0]
    return scored[: max(1, len(scored) // 3)]


def confusion_matrix(labels: Ints, predicted: Ints, num_classes: int) -> Ints:
    """Count true class (row) against predicted class (column), int64 (K, K)."""
    pairs = np.asarray(labels, np.int64) * num_classes + predicted
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def negative_log_likelihood(probabilities: Floats, labels: Ints) -> float:
    """Average -log p(true class), in nats; p is at least float32's epsilon: at most 15.9 a row."""
    return float(negative_log_likelihoods(probabilities, labels).mean())


def negative_log_likelihoods(probabilities: Floats, labels: Ints) -> Floats:
    """Compute it for each row, in nats, float64 (N,); see `negative_log_likelihood`."""
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.clip(of_truth, np.finfo(np.float32).eps, 1.0))


def bootstrap_interval(
    correct: NDArray[np.bool_],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Compute the percentile bootstrap interval of accuracy.

    Source: B. Efron and R. Tibshirani, 1993, "An introduction to the bootstrap", chapter 13.

    Drawing N rows with replacement from N zeros and ones makes the number of ones binomial, so the
    counts are drawn directly: the same distribution without the (resamples, N) index array.
    When every row is right, or every row wrong, all resamples are equal; the open end is then the
    exact one of Clopper and Pearson (1934), about 1 - 3.7/N instead of a claim of certainty.

    Args:
        correct: whether each prediction is correct, bool (N,).
        rng: the only source of randomness.
        resamples: number of resamples.
        confidence: coverage of the interval, in (0, 1).

    Raises:
        ValueError: there are no rows.
    """
    num_rows, hits = len(correct), int(np.count_nonzero(correct))
    if num_rows == 0:
        raise ValueError("the interval of an accuracy needs at least one row")
    tail = (1 - confidence) / 2
    if hits in (0, num_rows):
        bound = tail ** (1 / num_rows)
        return (bound, 1.0) if hits else (0.0, 1 - bound)
    accuracies = rng.binomial(num_rows, hits / num_rows, size=resamples) / num_rows
    low, high = np.quantile(accuracies, [tail, 1 - tail])
    return float(low), float(high)


def check(probabilities: Floats, labels: Ints) -> None:
    """Refuse what would give a plausible but wrong score, such as logits.

    Raises:
        ValueError: see `score`.
    """
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not labels.size:
        raise ValueError(
            f"expected probabilities (N, K) and labels (N,) with N >= 1, "
            f"got {probabilities.shape} and {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ValueError(f"labels must lie in [0, {probabilities.shape[1]})")
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if not (np.abs(sums - 1) < 1e-3).all() or probabilities.min() < 0:
        raise ValueError("each row of probabilities must be finite, non-negative and sum to 1")


def _ratio(part: Ints, whole: Ints) -> Floats:
    ratio = np.zeros(len(whole))
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
