"""Fit a solved head once more, with the validation rows, after everything has been chosen.

Everything is chosen by rows that were left out of a fit, so the last fit needs none. Its accuracy
is known from fits without each row in turn: fine-tuning has to surpass that.
"""

import filecmp
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from thawline.errors import UserError
from thawline.models.checkpoint import WEIGHTS
from thawline.models.network import Network
from thawline.runtime.escape import escape

FILE = "refit.safetensors"
"""Name of the file, beside the checkpoint whose head it replaces."""
MOST_ROWS = 3000
"""Training rows beyond which a sixth more is not worth an inverse of rows times rows; with a copy
of each it takes 4 s on 2 cores."""
_HEAD, _VALIDATION = "head.", "validation"


@dataclass(frozen=True, kw_only=True)
class Refit:
    """Head that was fitted to the validation rows too.

    Attributes:
        head: its tensors, by their names in the network.
        validation: probabilities of each validation row, by a fit without its group, float32
            (M, K).
    """

    head: dict[str, torch.Tensor]
    validation: np.ndarray

    @classmethod
    def from_network(cls, network: Network, validation: np.ndarray) -> "Refit":
        """Copy the head of a network."""
        state = network.state_dict()
        head = {name: state[name].clone() for name in state if name.startswith(_HEAD)}
        return cls(head=head, validation=validation)

    def write(self, folder: Path) -> None:
        """Write it beside a checkpoint; equal heads give equal bytes."""
        held = self.head | {_VALIDATION: torch.from_numpy(self.validation.astype(np.float32))}
        save_file({name: value.contiguous() for name, value in held.items()}, folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> "Refit | None":
        """Read the file, if there is one.

        Raises:
            UserError: the file is damaged.
        """
        if not (folder / FILE).exists():
            return None
        try:
            held = load_file(folder / FILE)
            validation = held.pop(_VALIDATION).numpy()
        except (OSError, SafetensorError, KeyError) as error:
            reason = escape(" ".join(str(error).split()), 160)
            raise UserError(f"{folder / FILE}: cannot be read: {reason}") from None
        return cls(head=held, validation=validation)

    def scored(self, labels: np.ndarray) -> dict[str, float]:
        """Score the validation rows, labels int64 (M,), each by a fit that left it out."""
        right = self.validation.argmax(axis=1) == labels
        return {"num_images": len(labels), "accuracy": float(right.mean())}

    def apply(self, network: Network, start: Path, tuned: Path) -> bool:
        """Give a network this head, if training left the start as it was.

        Args:
            network: network of the checkpoint in `tuned`, changed in place.
            start: folder of the solved checkpoint.
            tuned: folder of the checkpoint after fine-tuning.

        Returns:
            True if the network has this head now.

        Raises:
            UserError: the head is of another network.
        """
        if not filecmp.cmp(start / WEIGHTS, tuned / WEIGHTS, shallow=False):
            return False
        try:
            network.load_state_dict(network.state_dict() | self.head)
        except RuntimeError as error:
            reason = escape(" ".join(str(error).split()), 160)
            raise UserError(
                f"{start / FILE}: not the head of {tuned / WEIGHTS}: {reason}"
            ) from None
        network.eval()
        return True


def add_rows(
    rows: np.ndarray, weights: np.ndarray, more: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add rows so that each class counts as much as before, whatever rebalancing made of it.

    Args:
        rows: rows of the fit so far, int64 (N,), all different.
        weights: weights of those rows, float64 (N,), positive.
        more: rows to add, int64 (M,), of classes that the fit has.
        labels: classes by row, at least of all these rows, int64.

    Returns:
        Rows int64 (N + M,) and their weights: within a class an added row counts what the others
        do on average.
    """
    num_classes = int(labels.max()) + 1
    totals = np.bincount(labels[rows], weights, minlength=num_classes)
    counts = np.bincount(labels[rows], minlength=num_classes)
    mean = totals / np.maximum(counts, 1)
    joint = np.concatenate([rows, more])
    raised = np.concatenate([weights, mean[labels[more]]])
    new_totals = np.bincount(labels[joint], raised, minlength=num_classes)
    shrink = totals / np.where(new_totals > 0, new_totals, 1)
    return joint, raised * shrink[labels[joint]]
