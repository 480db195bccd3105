"""What the features of a network are worth, block by block, as plain values."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class BlockScore:
    """What the features at the end of one block are worth.

    Attributes:
        accuracy: of a linear probe, cross-validated: mean recall over the classes, in [0, 1].
        error: its standard error.
        logme: log evidence per row; higher is better.
    """

    block: str
    num_features: int
    accuracy: float
    error: float
    logme: float


@dataclass(frozen=True, kw_only=True)
class GroupScore:
    """A group of blocks that a head could read, judged on rows that were left out of the fit.

    Attributes:
        blocks: with their grids, e.g. `stage3 2x2`, in the order of the forward pass.
        accuracy: of rows left out, in [0, 1].
        squared_error: mean squared distance of their scores from their class, by which groups are
            compared first.
    """

    blocks: tuple[str, ...]
    num_features: int
    accuracy: float
    squared_error: float

    @classmethod
    def read(cls, stored: dict[str, Any]) -> "GroupScore":
        """Take one from a decision file."""
        return cls(**{**stored, "blocks": tuple(stored["blocks"])})


@dataclass(frozen=True, kw_only=True)
class HeadFit:
    """How a head was solved in closed form.

    Attributes:
        tried: every group that was judged.
        augmented: whether an augmented copy of each image joined the fit; None where the policy
            changes nothing.
        augmented_accuracy: of rows that were left out, with them.
        penalty: of the ridge regression, over the mean squared length of a standardised row.
        accuracy, error: of rows that were left out, each counting as rebalancing says, and its
            standard error.
        nll: negative log-likelihood of those rows, nats.
        num_rows: that were judged.
        temperature: by which the scores are divided, so that probabilities are honest.
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
        scores: empty where no two classes have rows enough to be cross-validated.
        split, num_rows, num_classes: what was measured on.
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

        Of features that are equally good the earlier ones leave more blocks to train. That costs
        time; to keep a block that should have been trained costs accuracy.
        """
        best = self.scores[self.best]
        near = (i for i, s in enumerate(self.scores) if s.accuracy >= best.accuracy - best.error)
        return next(near)

    @property
    def num_after(self) -> int:
        """Blocks that follow the chosen one."""
        return len(self.scores) - 1 - self.chosen if self.scores else 0
