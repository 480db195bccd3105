"""Synthesise features of rare classes (SMOTE), for a head on a frozen trunk."""

from collections.abc import Sequence

import numpy as np
import torch
from imblearn.over_sampling import SMOTE, RandomOverSampler

_NEIGHBORS = 5


def fill_up(
    views: Sequence[torch.Tensor], labels: np.ndarray, targets: np.ndarray, *, seed: int
) -> tuple[list[torch.Tensor], np.ndarray]:
    """Add points between the features of a class and their neighbours in it, view by view.

    Through imbalanced-learn. A class of one row has no neighbour: its features are repeated
    instead.

    Args:
        views: features of the same rows, float32 (M, ...) each.
        labels: class id per row, int64 (M,).
        targets: rows per class to reach, int64 (num_classes,), at least what there is.
        seed: seed of the draws.

    Returns:
        Views float32 (M', ...) and labels int64 (M',), the given rows first.
    """
    counts = np.bincount(labels, minlength=len(targets))
    filled = [_fill_up(view, labels, counts, targets, seed) for view in views]
    return [view for view, _ in filled], filled[0][1]


def _fill_up(
    view: torch.Tensor, labels: np.ndarray, counts: np.ndarray, targets: np.ndarray, seed: int
) -> tuple[torch.Tensor, np.ndarray]:
    points, classes = view.flatten(1).numpy(), labels
    for k in np.flatnonzero((counts > 0) & (targets > counts)).tolist():
        neighbors = min(_NEIGHBORS, int(counts[k]) - 1)
        goal = {k: int(targets[k])}
        # A class of its own each time, because each has another number of neighbours at most.
        sampler = (
            SMOTE(sampling_strategy=goal, k_neighbors=neighbors, random_state=seed)
            if neighbors
            else RandomOverSampler(sampling_strategy=goal, random_state=seed)
        )
        points, classes = sampler.fit_resample(points, classes)
    filled = torch.from_numpy(np.ascontiguousarray(points, dtype=np.float32))
    return filled.view(-1, *view.shape[1:]), np.asarray(classes, dtype=np.int64)
