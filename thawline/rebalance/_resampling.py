"""Draw rows so that each class has a given size; through imbalanced-learn, on positions."""

import numpy as np


def resample(labels: np.ndarray, sizes: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Draw positions such that class k occurs sizes[k] times.

    A class that shrinks loses rows at random; one that grows keeps every row and repeats some. The
    result is a function of the labels, the sizes and the state of rng.

    Args:
        labels: class id per training row, int64 (N,).
        sizes: wanted rows per class, int64 (num_classes,); a class without rows stays without.
        rng: the only source of randomness.

    Returns:
        int64 (M,), M = the sum of the sizes, ascending.
    """
    # Here, not above: others load this for its rules alone, and imbalanced-learn takes 0.9 s.
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.under_sampling import RandomUnderSampler

    counts = np.bincount(labels, minlength=len(sizes))
    positions = np.arange(len(labels))
    present = [k for k, count in enumerate(counts) if count]
    for sampler, change in ((RandomUnderSampler, np.minimum), (RandomOverSampler, np.maximum)):
        goal = {k: int(change(sizes[k], counts[k])) for k in present}
        if any(goal[k] != counts[k] for k in present):
            drawn = sampler(sampling_strategy=goal, random_state=int(rng.integers(2**31)))
            # imbalanced-learn refuses images: it resamples their positions instead.
            drawn.fit_resample(positions[:, None], labels[positions])
            positions = positions[drawn.sample_indices_]
            counts = np.bincount(labels[positions], minlength=len(sizes))
    return np.sort(positions)
