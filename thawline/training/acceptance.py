"""Accept a fine-tuned network only if it is better than its start, by more than chance.

Networks are compared by the squared error of calibrated probabilities (the Brier score), which
takes fewer rows to tell them apart than accuracy does.

Weights averaged over several epochs are often better than those of the best one, and so are weights
between start and end. Sources: M. Wortsman et al., 2022, "Model soups", arXiv 2203.05482, of which
this is the greedy one, and "Robust fine-tuning of zero-shot models", arXiv 2109.01903. Norm
statistics that were kept are equal at both ends; others are never mixed, since an average of
statistics fits neither network.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from thawline.metrics import temperature
from thawline.metrics.classification import score
from thawline.metrics.intervals import brier_scores
from thawline.models.network import Network

SHARES = (0.5, 1.0)
"""Shares of the tuned weights in a mixture with the start."""
MOST_EPOCHS = 3
"""Epochs whose weights may be averaged."""
State = dict[str, torch.Tensor]
Predict = Callable[[Network], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """Outcome of a fine-tuning: accepted or not, and by what margin.

    Attributes:
        accepted: whether the tuned weights, or a mixture of them, replace the start.
        refitted: whether they were compared with a start that was fitted to the other validation
            rows too, and not with the start itself.
        share: share of the tuned weights in the mixture that was compared.
        num_epochs: number of epochs whose weights were averaged.
        gain, error: gain of validation accuracy over the start, in [0, 1], and the standard error
            of the paired difference.
        less, less_error: fall of the squared error, likewise.
        judged: validation scores of the weights that are kept.
    """

    accepted: bool
    refitted: bool
    share: float
    num_epochs: int
    gain: float
    error: float
    less: float
    less_error: float
    judged: dict[str, float]

    def __str__(self) -> str:
        change = (
            f"{100 * self.gain:+.1f} points (± {100 * self.error:.1f}) on validation images, "
            f"squared error {0 - self.less:+.4f} (± {self.less_error:.4f})"
        )
        if self.refitted:
            change += ", compared with the start fitted to all other validation images too"
        if not self.accepted:
            return f"keeps the start: training brought {change}, {self._why()}"
        averaged = f" of {self.num_epochs} epochs on average" if self.num_epochs > 1 else ""
        mixed = "" if self.share == 1 else f", {self.share:.0%} of the way from the start"
        return f"accepts the tuned weights{averaged}{mixed}: {change}"

    def _why(self) -> str:
        if self.gain <= 0 and self.less <= 0:
            return "no improvement"
        if self.gain < 0:
            return "accuracy fell"
        return "the squared error rose" if self.less < 0 else "within chance"


def settle(
    network: Network,
    start: State,
    predict: Predict,
    labels: np.ndarray,
    *,
    may_mix: bool,
    others: Sequence[State] = (),
    refitted: np.ndarray | None = None,
) -> Acceptance:
    """Leave the best mixture in the network if it is better than the start, else the start.

    It is better if its squared error is less by more than a standard error of the paired
    difference and no fewer rows are right, or the other way round. What is accepted is left with
    calibrated probabilities: its logits divided by the temperature of these rows.

    Args:
        network: with the tuned weights of the best epoch.
        start: the weights that training began with.
        predict: probabilities of the validation rows, float32 (V, K).
        labels: classes of those rows, int64 (V,).
        may_mix: whether norm statistics are those of the start.
        others: weights of further epochs, the better ones first; of the blocks that trained, or of
            all.
        refitted: probabilities of each validation row by a start fitted to all other validation
            rows too, float32 (V, K), which then is to be surpassed; None: there is none.
    """
    look = _Look(network, predict, labels)
    tuned = copy.deepcopy(network.state_dict())
    before, after = look(start), look(tuned)
    count = 1
    for other in others if may_mix else ():
        more = mixed(tuned, tuned | other, 1 / (count + 1))
        looked = look(more)
        if looked.error < after.error:
            tuned, after, count = more, looked, count + 1
    found = {1.0: after}
    for share in SHARES[:-1] if may_mix else ():
        found[share] = look(mixed(start, tuned, share))
    # Of equals the most trained one.
    best = min(found, key=lambda share: (found[share].error, -share))
    rival = before if refitted is None else _look_at(refitted, labels)
    change = found[best].right.astype(float) - rival.right
    less = rival.errors - found[best].errors
    gain, error = _mean_and_error(change)
    fewer, fewer_error = _mean_and_error(less)
    accepted = bool((fewer > fewer_error and gain >= 0) or (gain > error and fewer >= 0))
    network.load_state_dict(mixed(start, tuned, best) if accepted else start)
    kept = found[best] if accepted else before
    if accepted:
        _divide_logits(network, kept.temperature)
    return Acceptance(
        accepted=accepted, refitted=refitted is not None, share=best, num_epochs=count,
        gain=gain, error=error, less=fewer, less_error=fewer_error,
        judged=judge(kept.honest if accepted else kept.probabilities, labels),
    )  # fmt: skip


class _Look:
    """Judge of weights, loaded into a network, on the validation rows."""

    def __init__(self, network: Network, predict: Predict, labels: np.ndarray) -> None:
        self._network, self._predict, self._labels = network, predict, labels

    def __call__(self, state: State) -> "_Looked":
        self._network.load_state_dict(state)
        probabilities = self._predict(self._network.eval())
        return _look_at(probabilities, self._labels)


@dataclass(frozen=True, kw_only=True)
class _Looked:
    probabilities: np.ndarray
    temperature: float
    honest: np.ndarray
    right: np.ndarray
    errors: np.ndarray

    @property
    def error(self) -> float:
        return float(self.errors.mean())


def _look_at(probabilities: np.ndarray, labels: np.ndarray) -> _Looked:
    fitted = temperature.fit(probabilities, labels, spread=temperature.SPREAD)
    honest = temperature.scale(probabilities, fitted)
    return _Looked(
        probabilities=probabilities,
        temperature=fitted,
        honest=honest,
        right=probabilities.argmax(axis=1) == labels,
        errors=brier_scores(honest, labels),
    )


def _divide_logits(network: Network, divisor: float) -> None:
    classifier = [m for m in network[-1].modules() if isinstance(m, nn.Linear)][-1]
    with torch.no_grad():
        for values in classifier.parameters():
            values.div_(divisor)


def _mean_and_error(change: np.ndarray) -> tuple[float, float]:
    return float(change.mean()), float(change.std() / np.sqrt(len(change)))


def mixed(one: State, other: State, share: float) -> State:
    """Mix two sets of weights, `share` of the other's; what is no float comes from the other."""
    return {
        name: one[name] + share * (value - one[name])
        if value.is_floating_point() and share < 1
        else value
        for name, value in other.items()
    }


def judge(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Score validation rows, under the names in curves.csv."""
    found = score(probabilities, labels)
    return {
        "val_loss": found.nll,
        "val_accuracy": found.accuracy,
        "val_macro_f1": found.macro_f1,
    }
