"""Accept a fine-tuned network only if it is better than its start, by more than chance.

Between the two lie further networks: weights interpolated between start and end are often better
than both. Source: M. Wortsman et al., 2022, "Robust fine-tuning of zero-shot models", arXiv
2109.01903. Norm statistics that were kept are equal at both ends; others are mixed like weights
only where they were kept, since an average of statistics fits neither network.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from thawline.evaluation.accuracy import score
from thawline.network import Network

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the tuned weights in a mixture."""
State = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a fine-tuning.

    Attributes:
        accepted: whether the network is another one than the start.
        share: of the tuned weights in what is judged.
        gain, error: of validation accuracy over the start, and the standard error of the paired
            difference.
        judged: validation scores of what is kept.
    """

    accepted: bool
    share: float
    gain: float
    error: float
    judged: dict[str, float]

    def __str__(self) -> str:
        change = f"{100 * self.gain:+.1f} points (± {100 * self.error:.1f}) on validation images"
        if not self.accepted:
            return f"keeps the start: training brought {change}, no more than its standard error"
        mixed = "" if self.share == 1 else f", {self.share:.0%} of the way from the start"
        return f"accepts the tuned weights{mixed}: {change}"


def settle(
    network: Network,
    start: State,
    predict: Callable[[Network], np.ndarray],
    labels: np.ndarray,
    *,
    may_mix: bool,
) -> Verdict:
    """Leave the best mixture in the network if it is better than the start, else the start.

    Args:
        network: with the tuned weights.
        start: the weights that training began with.
        predict: probabilities of the validation rows, float32 (V, K).
        labels: of those rows, int64 (V,).
        may_mix: whether norm statistics are those of the start.
    """
    tuned = copy.deepcopy(network.state_dict())
    found = {0.0: _predicted(network, start, tuned, 0.0, predict)}
    for share in SHARES if may_mix else (1.0,):
        found[share] = _predicted(network, start, tuned, share, predict)
    # Of equals the most trained one.
    best = max((s for s in found if s), key=lambda share: (_rank(found[share], labels), share))
    before, after = (found[share].argmax(axis=1) == labels for share in (0.0, best))
    change = after.astype(float) - before
    gain, error = float(change.mean()), float(change.std() / np.sqrt(len(change)))
    accepted = gain > error
    kept = best if accepted else 0.0
    network.load_state_dict(_mixed(start, tuned, kept))
    return Verdict(
        accepted=accepted, share=best, gain=gain, error=error,
        judged=judge(found[kept], labels),
    )  # fmt: skip


def _predicted(
    network: Network,
    start: State,
    tuned: State,
    share: float,
    predict: Callable[[Network], np.ndarray],
) -> np.ndarray:
    network.load_state_dict(_mixed(start, tuned, share))
    return predict(network.eval())


def _mixed(start: State, tuned: State, share: float) -> State:
    return {
        name: start[name] + share * (value - start[name])
        if value.is_floating_point() and 0 < share < 1
        else (value if share else start[name])
        for name, value in tuned.items()
    }


def _rank(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    found = score(probabilities, labels)
    return found.accuracy, -found.nll


def judge(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Score validation rows, by the names that the curves have."""
    found = score(probabilities, labels)
    return {
        "val_loss": found.nll,
        "val_accuracy": found.accuracy,
        "val_macro_f1": found.macro_f1,
    }
