"""Scores of a network's features, block by block, as plain values."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class BlockScore:
    """Score of the features at the end of one block.

    Attributes:
        accuracy: cross-validated accuracy of a linear probe: mean recall over the classes, in
            [0, 1].
        error: standard error of the accuracy.
        logme: log evidence per row; higher is better.
    """

    block: str
    num_features: int
    accuracy: float
    error: float
    logme: float


@dataclass(frozen=True, kw_only=True)
class GroupScore:
    """Score of a group of blocks that a head could read, on rows left out of the fit.

    Attributes:
        blocks: blocks with their grids, e.g. `stage3 2x2`, in the order of the forward pass.
        accuracy: accuracy on rows left out, in [0, 1].
        squared_error: mean squared distance of their scores from their class, by which groups are
            compared first.
    """

    blocks: tuple[str, ...]
    num_features: int
    accuracy: float
    squared_error: float

    @classmethod
    def read(cls, stored: dict[str, Any]) -> "GroupScore":
        """Rebuild a score from its entry in a decision file."""
        return cls(**{**stored, "blocks": tuple(stored["blocks"])})


@dataclass(frozen=True, kw_only=True)
class HeadFit:
    """Record of a head that was solved in closed form.

    Attributes:
        chosen: group of blocks that the head reads.
        tried: every group that was judged.
        augmented: whether an augmented copy of each image joined the fit; None where the policy
            changes nothing.
        augmented_accuracy: accuracy on rows left out, with those copies.
        penalty: penalty of the ridge regression, over the mean squared length of a standardised
            row.
        accuracy, error: accuracy on rows left out, weighted as rebalancing says, and its standard
            error.
        nll: negative log-likelihood of those rows, in nats.
        num_rows: number of rows that were judged.
        temperature: divisor of the scores that calibrates the probabilities.
    """

    chosen: GroupScore
    tried: tuple[GroupScore, ...]
    augmented: bool | None
    augmented_accuracy: float | None
    penalty: float
    accuracy: float
    error: float
    nll: float
    num_rows: int
    temperature: float


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Scores of the blocks with parameters, from the input to the last one before the head.

    Attributes:
        scores: one per block; empty where no two classes have enough rows for cross-validation.
        split, num_rows, num_classes: rows that were measured on.
    """

    scores: tuple[BlockScore, ...]
    split: str
    num_rows: int
    num_classes: int

    @property
    def best(self) -> int:
        """Position of the highest probe accuracy, the later one among equals."""
        return max(range(len(self.scores)), key=lambda i: (self.scores[i].accuracy, i))

    @property
    def chosen(self) -> int:
        """Position of the first block within one standard error of the best.

        Of equally good features the earlier ones leave more blocks to train. That costs time; to
        keep a block that should have been trained costs accuracy.
        """
        best = self.scores[self.best]
        near = (i for i, s in enumerate(self.scores) if s.accuracy >= best.accuracy - best.error)
        return next(near)

    @property
    def num_after(self) -> int:
        """Number of blocks that follow the chosen one."""
        return len(self.scores) - 1 - self.chosen if self.scores else 0
