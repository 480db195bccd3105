"""Propose how deep to unfreeze, and how gently: good features are soon lost."""

from typing import Any

from thawline.advice import from_scratch
from thawline.advice.facts import Facts
from thawline.advice.rules import ingest, model
from thawline.params.proposal import AUTO, Proposal, is_auto, section
from thawline.training import freeze_decision

_GENTLE: dict[str, Any] = {
    "norm_statistics": "keep",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "momentum": 0.9,
    "clip_norm": 1.0,
}
"""The recipe of docs/depth.md: 3 to 11 points above the head alone, on each of four sets. Kept
statistics leave large activations, and rare steep gradients with them, which are cut."""


def propose(facts: Facts) -> list[Proposal]:
    if facts.params.model.weights == "none":
        return from_scratch.propose(facts.params, "fine_tune")
    return [*_depth(facts), *_gentle(facts)]


def _depth(facts: Facts) -> list[Proposal]:
    """Propose `auto` where the features suggest another depth, or are going to change."""
    tuned = facts.params.fine_tune
    if facts.profile is None or is_auto(facts.params, "fine_tune.trainable"):
        return []
    decided = freeze_decision.by_profile("fine_tune", facts.profile)
    agrees = (tuned.trainable, tuned.num_blocks) == (decided.trainable, decided.num_blocks)
    anew = [p.key for p in (*ingest.propose(facts), *model.propose(facts))]
    if agrees and not anew:
        return []
    changed = f"; measured anew, with another {' and '.join(anew)}" if anew else ""
    return section(
        "fine_tune",
        {"trainable": AUTO},
        rule="the more the data resembles the pretraining data, the fewer layers to retrain",
        figure=f"{decided.reason}{changed}",
    )


def _gentle(facts: Facts) -> list[Proposal]:
    kept_start = facts.gained is not None and facts.gained < 0
    if not kept_start or is_auto(facts.params, *(f"fine_tune.{key}" for key in _GENTLE)):
        return []
    tuned = facts.params.fine_tune
    if tuned.norm_statistics == "keep" and tuned.learning_rate <= _GENTLE["learning_rate"]:
        return []
    return section(
        "fine_tune",
        _GENTLE,
        rule="thaw with a lower rate: good features are soon lost",
        figure=f"its best epoch was {-100 * (facts.gained or 0.0):.1f} points of macro-F1 below "
        "its start, which was kept; on four sets this recipe gained 3 to 11 points on the head",
    )
