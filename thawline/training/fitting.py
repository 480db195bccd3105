"""Gather the rows that a closed-form head is fitted to, and fit it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from thawline.features import level_choice, ridge
from thawline.features.level_choice import Choice
from thawline.features.levels import BlockFeatures, augmented
from thawline.training.context import Machine, TrainingData


@dataclass(frozen=True, kw_only=True)
class FitRows:
    """Rows of a fit: those asked for, their augmented copies, then synthetic ones.

    Attributes:
        parts: features of each level, float32 (N, D_i).
        labels: classes, int64 (N,).
        weights: weight of each row in the fit, float64 (N,).
        groups: int64 (N,), equal for rows that are left out together; None: each by itself.
        num_classes: K, classes of the data set.
        unit_length: whether standardised rows are given length one.
    """

    parts: Sequence[np.ndarray]
    labels: np.ndarray
    weights: np.ndarray
    groups: np.ndarray | None
    num_classes: int
    unit_length: bool

    def solve(self, penalty: float) -> tuple[np.ndarray, np.ndarray, ridge.Standard]:
        """Fit the head: weights (K, D) and offsets (K,) of standardised features."""
        standard = self._standard()
        weight, offset = ridge.solve(
            np.concatenate(self.parts, axis=1), self.labels, standard=standard,
            num_classes=self.num_classes, weights=self.weights, penalty=penalty,
        )  # fmt: skip
        return weight, offset, standard

    def left_out(self, penalty: float) -> np.ndarray:
        """Predict each row by a fit without its group: scores, float64 (N, K)."""
        return ridge.leave_out_once(
            self._standard().apply(np.concatenate(self.parts, axis=1)), self.labels,
            num_classes=self.num_classes, weights=self.weights, groups=self.groups,
            penalty=penalty,
        )  # fmt: skip

    def _standard(self) -> ridge.Standard:
        return ridge.Standard.from_levels(self.parts, self.weights, unit_length=self.unit_length)


def gather(
    features: BlockFeatures,
    choice: Choice,
    rows: np.ndarray,
    weights: np.ndarray,
    data: TrainingData,
    machine: Machine,
    groups: Sequence[str | None],
) -> FitRows:
    """Gather the features that a head reads, with copies and synthetic rows as chosen.

    `rows` of the store are int64 (N,), their `weights` float64 (N,); `groups` names, per row of the
    manifest, what must be left out together, or None.
    """
    found = features.compute(rows, choice.keys)
    parts, labels = [found[key] for key in choice.keys], labels_of(data)[rows]
    own = [groups[row] if row < len(groups) else None for row in rows]
    numbers = level_choice.number_groups(own)
    if choice.augmented:
        more = features.compute(rows, choice.keys, changed=augmented(data.policy, machine.seed))
        parts = [np.concatenate([found[key], more[key]]) for key in choice.keys]
        labels, weights = np.tile(labels, 2), np.tile(weights, 2)
        numbers = np.tile(np.arange(len(rows)) if numbers is None else numbers, 2)
    parts, labels, weights = _filled(parts, labels, weights, data, machine)
    return FitRows(
        parts=parts, labels=labels, weights=weights, groups=numbers,
        num_classes=len(data.manifest.classes), unit_length=choice.unit_length,
    )  # fmt: skip


def rows_and_weights(data: TrainingData) -> tuple[np.ndarray, np.ndarray]:
    """List distinct rows of the store, ascending, and the weight of each, times its repeats."""
    rows, counts = np.unique(data.indices, return_counts=True)
    return rows, counts * data.rows.class_weights[labels_of(data)[rows]]


def labels_of(data: TrainingData) -> np.ndarray:
    """Return the class of every row of the store, int64."""
    return np.concatenate([data.manifest.labels, data.extra_labels])


def _filled(
    parts: list[np.ndarray],
    labels: np.ndarray,
    weights: np.ndarray,
    data: TrainingData,
    machine: Machine,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Add the synthetic rows that a rebalancing strategy asks for."""
    if data.rows.targets is None:
        return parts, labels, weights
    from thawline.training import feature_smote

    joint = torch.from_numpy(np.concatenate(parts, axis=1))
    (filled,), more = feature_smote.fill_up([joint], labels, data.rows.targets, seed=machine.seed)
    ends = np.cumsum([part.shape[1] for part in parts])[:-1]
    every = np.concatenate([weights, np.full(len(more) - len(labels), weights.mean())])
    return np.split(filled.numpy(), ends, axis=1), more, every
