"""Propose a strategy for unequal classes: that of `auto`, where a fixed one differs from it."""

from typing import Any

from thawline.advice.facts import Facts
from thawline.params.proposal import AUTO, Proposal, is_auto, section
from thawline.rebalance import auto


def propose(facts: Facts) -> list[Proposal]:
    p = facts.params.rebalance
    if is_auto(facts.params, "rebalance.strategy"):
        return []
    counts = facts.counts[facts.counts > 0]
    choice, because = auto.choose(counts)
    if choice == p.strategy:
        return []
    values: dict[str, Any] = {"strategy": AUTO} | ({"options": {}} if p.options else {})
    return section(
        "rebalance",
        values,
        rule="balance the classes by loss weights, by repeating rows of rare ones, or not at all",
        figure=f"the commonest class has {facts.imbalance:.3g} times the rows of the rarest "
        f"({counts.min()}), for which auto takes {choice}; {because}",
    )
