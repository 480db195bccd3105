"""How deep to thaw: everything after the block whose features are the best; and SGD to finish."""

from typing import Any

from thawline.advice import from_scratch
from thawline.advice.facts import Facts
from thawline.advice.proposal import Proposal, section
from thawline.advice.rules import _epochs
from thawline.evaluation.quantities import percent
from thawline.training import decision

_NO_FINISH = ("adam", "adagrad", "adadelta")
_SGD: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.9}

_GENTLE: dict[str, Any] = {"norm_statistics": "keep", "clip_norm": 1.0}
"""Kept statistics leave large activations, and rare steep gradients with them."""


def propose(facts: Facts) -> list[Proposal]:
    if facts.params.model.weights == "none":
        return from_scratch.propose(facts.params, "fine_tune")
    gentle = _gentle(facts)
    faster = [*_optimizer(facts), *_epochs.propose(facts, "fine_tune")]
    return [*_depth(facts), *(gentle or faster)]


def _depth(facts: Facts) -> list[Proposal]:
    if facts.profile is None or facts.params.fine_tune.trainable == decision.AUTO:
        return []
    decided = decision.by_profile("fine_tune", facts.profile)
    return section(
        "fine_tune",
        {"trainable": decided.trainable, "num_blocks": decided.num_blocks},
        rule="the more the data resembles the pretraining data, the fewer layers to retrain",
        figure=decided.reason,
    )


def _optimizer(facts: Facts) -> list[Proposal]:
    now, known = facts.params.fine_tune.optimizer, facts.val_accuracy
    if now not in _NO_FINISH or known is None:
        return []
    return section(
        "fine_tune",
        _SGD,
        rule="Adam to get a working model, then SGD to fine-tune",
        figure=f"validation accuracy {percent(known)} with {now} to the end",
    )


def _gentle(facts: Facts) -> list[Proposal]:
    tuned = facts.params.fine_tune
    # Once only: the figure is of the run before, whose settings params may no longer be.
    if facts.gained is None or facts.gained >= 0 or tuned.norm_statistics == "keep":
        return []
    finish = _SGD if tuned.optimizer in _NO_FINISH else {"learning_rate": tuned.learning_rate}
    values = {**finish, **_GENTLE, "learning_rate": finish["learning_rate"] / 10}
    return section(
        "fine_tune",
        values,
        rule="thaw with a lower rate: good features are soon lost",
        figure=f"fine-tuning ended {-100 * facts.gained:.1f} points of macro-F1 below its start",
    )
