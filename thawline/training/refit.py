"""Fit a solved head once more, with the validation rows, after everything has been chosen.

Everything is chosen by rows that were left out of a fit, so the last fit needs none. On 250 images
the head that had 85 % of the training rows was right on 72.7 % of the test images, the one that had
all of them on 74.3 % (textures, eight divisions, docs/own-images.md).
"""

import filecmp
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from thawline.checkpoint import WEIGHTS
from thawline.errors import UserError
from thawline.network import Network

FILE = "refit.safetensors"
"""Beside the checkpoint whose head it replaces: the head's tensors alone."""
MOST_ROWS = 10_000
"""Training rows, beyond which a sixth more of them is not worth a second fit."""


def add_rows(
    rows: np.ndarray, weights: np.ndarray, more: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add rows so that each class counts as much as before, whatever rebalancing made of it.

    Args:
        rows: of the fit so far, int64 (N,), all different; weights: float64 (N,), positive.
        more: rows to add, int64 (M,), of classes that the fit has.
        labels: of every row that either names, int64.

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


def write(folder: Path, network: Network) -> None:
    """Write the head of a network; equal heads give equal bytes."""
    head = {name: value.contiguous() for name, value in network.state_dict().items() if _is(name)}
    save_file(head, folder / FILE)


def apply(network: Network, start: Path, tuned: Path) -> bool:
    """Give a network the refitted head, if training left the start as it was.

    Args:
        network: of the checkpoint in `tuned`, changed in place.
        start: folder of the solved checkpoint, which has the head if there is one.
        tuned: folder of the checkpoint after fine-tuning.

    Returns:
        Whether it has it now.

    Raises:
        UserError: a damaged file, or one of another network.
    """
    if not (start / FILE).exists():
        return False
    if not filecmp.cmp(start / WEIGHTS, tuned / WEIGHTS, shallow=False):
        return False
    try:
        head = load_file(start / FILE)
        if not all(_is(name) for name in head):
            raise ValueError("tensors of more than a head")
        found = network.load_state_dict(network.state_dict() | head)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{start / FILE}: not the head of {tuned / WEIGHTS}: {reason}") from None
    assert not found.missing_keys
    network.eval()
    return True


def _is(name: str) -> bool:
    return name.startswith("head.")
