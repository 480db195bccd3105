"""Solve a linear head in closed form: ridge regression on the classes, judged row by row.

The residual of a row that was left out follows from the one fit of all rows, so a penalty, a group
of blocks or mirrored copies are judged by cross-validation at the price of one decomposition. With
rows that belong together (an image and its mirror, a patient) all of them are left out at once.

Source: A. Hoerl and R. Kennard, 1970, "Ridge regression"; the residuals of groups after R. Cook and
S. Weisberg, 1982, "Residuals and influence in regression", section 3.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from thawline.models.multilevel import LEAST_LENGTH

PENALTIES = tuple(float(10.0**power) for power in np.arange(-4.0, 1.6, 0.5))
"""Ridge penalties over the mean squared length of a row, which `Standard` makes one: they mean the
same for any number of features and of rows."""
_CHUNK = 4096
"""Rows that are held in float64 at a time."""
_SMALL = 1e-10
"""Share of the largest eigenvalue below which a direction is noise of float32."""


@dataclass(frozen=True, kw_only=True)
class Standard:
    """Standardisation of features: centre and scale, float64 (D,) each.

    Attributes:
        mean: mean that is subtracted.
        scale: factor after that.
        centre: mean that is subtracted from rows of length one; None: rows keep their length.
    """

    mean: np.ndarray
    scale: np.ndarray
    centre: np.ndarray | None = None

    @classmethod
    def from_levels(
        cls, levels: Sequence[np.ndarray], weights: np.ndarray, *, unit_length: bool = False
    ) -> "Standard":
        """Scale each feature to a variance of 1 / (D_i * number of levels): levels weigh the same.

        Args:
            levels: features of each level, float32 (N, D_i); side by side they are (N, D).
            weights: weights of the rows, float64 (N,).
            unit_length: whether each row is then divided by its length.
        """
        share = weights / weights.sum()
        means, scales = [], []
        for features in levels:
            mean = share @ features
            variance = sum(
                share[at] @ np.square(features[at] - mean) for at in _chunks(len(features))
            )
            deviation = np.sqrt(variance)
            flat = deviation <= 1e-6 * float(np.abs(features).max(initial=0.0))
            width = np.sqrt(features.shape[1] * len(levels))
            means.append(mean)
            scales.append(np.where(flat, 0.0, 1.0 / (np.where(flat, 1.0, deviation) * width)))
        mean, scale = np.concatenate(means), np.concatenate(scales)
        if not unit_length:
            return cls(mean=mean, scale=scale)
        rows, centre = cls(mean=mean, scale=scale, centre=np.zeros(len(mean))), np.zeros(len(mean))
        for at in _chunks(len(share)):
            centre += share[at] @ rows.apply(np.concatenate([part[at] for part in levels], axis=1))
        return cls(mean=mean, scale=scale, centre=centre)

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Centre and scale features, float64 (N, D)."""
        standardised: np.ndarray = (features - self.mean) * self.scale
        if self.centre is not None:
            length = np.linalg.norm(standardised, axis=1, keepdims=True)
            standardised /= np.maximum(length, LEAST_LENGTH)
            standardised -= self.centre
        return standardised


@dataclass(frozen=True, kw_only=True)
class LeaveGroupOut:
    """Predictions of each row by a fit without its group.

    Attributes:
        penalty: penalty with the smallest squared error, of PENALTIES.
        scores: float64 (N, K), about 1 for the class and 0 for the others.
        right: whether the class has the highest score, bool (N,).
        errors: squared distance of a row's scores from its class, float64 (N,).
    """

    penalty: float
    scores: np.ndarray
    right: np.ndarray
    errors: np.ndarray


def leave_out(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    weights: np.ndarray,
    groups: np.ndarray | None = None,
    penalties: Sequence[float] = PENALTIES,
) -> LeaveGroupOut:
    """Predict every row by a fit of the rows of all other groups, with the best penalty.

    The best penalty has the smallest squared error: accuracy is too coarse where some rows weigh
    much.

    Args:
        features: standardised features, see `Standard.apply`, float64 (N, D).
        labels: int64 (N,).
        num_classes: K.
        weights: weights of the rows in the fit and in the squared error, float64 (N,), positive.
        groups: int64 (N,), equal for rows that are left out together; None: each row by itself.
        penalties: penalties to try.
    """
    weights = weights / weights.mean()
    root = np.sqrt(weights)[:, None]
    targets = np.eye(num_classes)[labels]
    centred = targets - (weights @ targets) / len(targets)
    basis, values = _decompose(root * features)
    within, moved = root * centred, basis.T @ (root * centred)
    constant = root / np.sqrt(len(root))
    together = _together(groups)
    best: tuple[float, LeaveGroupOut] | None = None
    for penalty in sorted(penalties, reverse=True):
        kept = values / (values + penalty)
        residuals = within - basis @ (kept[:, None] * moved)
        leverage = np.square(basis) @ kept + np.square(constant[:, 0])
        apart = residuals / np.maximum(1 - leverage, 1e-9)[:, None]
        for rows in together:  # (G, size): all groups of one size at once
            part, flat = basis[rows], constant[rows]
            hat = (part * kept) @ part.swapaxes(1, 2) + flat @ flat.swapaxes(1, 2)
            apart[rows] = _without(residuals[rows], hat)
        scores = targets - apart / root
        errors = np.square(targets - scores).sum(axis=1)
        total = float(weights @ errors)
        if best is None or total < best[0]:
            right = scores.argmax(axis=1) == labels
            best = total, LeaveGroupOut(penalty=penalty, scores=scores, right=right, errors=errors)
    assert best is not None
    return best[1]


def leave_out_once(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    weights: np.ndarray,
    groups: np.ndarray | None = None,
    penalty: float,
) -> np.ndarray:
    """Predict as `leave_out` does with one penalty, by an inverse instead of a decomposition.

    Returns:
        Scores, float64 (N, K).
    """
    weights = weights / weights.mean()
    root = np.sqrt(weights)[:, None]
    targets = np.eye(num_classes)[labels]
    rows = root * features
    inner = rows @ rows.T
    inner[np.diag_indices_from(inner)] += penalty
    # What the fit leaves of the targets is `penalty` times the inverse times them.
    identity = np.eye(len(inner))
    left = penalty * scipy.linalg.solve(
        inner, identity, assume_a="pos", overwrite_a=True, overwrite_b=True
    )
    residuals = left @ (root * (targets - (weights @ targets) / len(targets)))
    constant = root / np.sqrt(len(root))
    apart = residuals / np.maximum(np.diag(left) - np.square(constant[:, 0]), 1e-9)[:, None]
    for at in _together(groups):
        flat = constant[at]
        hat = np.eye(at.shape[1]) - left[at[:, :, None], at[:, None, :]]
        apart[at] = _without(residuals[at], hat + flat @ flat.swapaxes(1, 2))
    scores: np.ndarray = targets - apart / root
    return scores


def solve(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    standard: Standard,
    num_classes: int,
    weights: np.ndarray,
    penalty: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a head to all rows, on the smaller side of the matrix.

    With more rows than features no second matrix of all rows is made: they are added up in parts.
    `features` are as they come, float32 (N, D); `standard` is of these features and weights.

    Returns:
        Weights (K, D) and offsets (K,) of the scores, float64.
    """
    weights = weights / weights.mean()
    root = np.sqrt(weights)[:, None]
    targets = np.eye(num_classes)[labels]
    mean = (weights @ targets) / len(targets)
    wanted = root * (targets - mean)
    num_rows, num_features = features.shape
    if num_rows <= num_features:
        rows = root * standard.apply(features)
        inner = rows @ rows.T
        inner[np.diag_indices_from(inner)] += penalty
        found = rows.T @ scipy.linalg.solve(inner, wanted, assume_a="pos", overwrite_a=True)
    else:
        inner = penalty * np.eye(num_features)
        projected = np.zeros((num_features, num_classes))
        for at in _chunks(num_rows):
            rows = root[at] * standard.apply(features[at])
            inner += rows.T @ rows
            projected += rows.T @ wanted[at]
        found = scipy.linalg.solve(inner, projected, assume_a="pos", overwrite_a=True)
    return found.T, mean


def _without(residuals: np.ndarray, hat: np.ndarray) -> np.ndarray:
    """Compute the residuals (G, size, K) of groups by fits without them.

    `hat`, (G, size, size), says how far the rows of a group pull their own fit.
    """
    left = np.eye(hat.shape[1]) * (1 + 1e-9) - hat
    found: np.ndarray = np.linalg.solve(left, residuals)
    return found


def _chunks(num_rows: int) -> list[slice]:
    return [slice(at, at + _CHUNK) for at in range(0, num_rows, _CHUNK)]


def _decompose(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute left singular vectors (N, R) and squared singular values (R,).

    By the eigenvectors of the smaller Gram matrix.
    """
    if len(rows) <= rows.shape[1]:
        values, basis = scipy.linalg.eigh(rows @ rows.T, driver="evd")
        real = values > _SMALL * max(float(values[-1]), 0.0)
        return basis[:, real], values[real]
    values, directions = scipy.linalg.eigh(rows.T @ rows, driver="evd")
    real = values > _SMALL * max(float(values[-1]), 0.0)
    return rows @ (directions[:, real] / np.sqrt(values[real])), values[real]


def _together(groups: np.ndarray | None) -> list[np.ndarray]:
    """List the positions of groups of more than one row, int64 (G, size) for each size."""
    if groups is None:
        return []
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order])) + 1
    parts = np.split(order, starts)
    sizes = sorted({len(part) for part in parts} - {1})
    return [np.stack([part for part in parts if len(part) == size]) for size in sizes]
