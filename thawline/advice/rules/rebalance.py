"""Unequal classes: the rule of the strategy `auto`, with its choice spelt out."""

from typing import Any

from thawline.advice.facts import Facts
from thawline.advice.proposal import Proposal, section
from thawline.rebalance import auto


def propose(facts: Facts) -> list[Proposal]:
    p = facts.params.rebalance
    if p.strategy == "auto":
        return []
    counts = facts.counts[facts.counts > 0]
    choice, because = auto.choose(counts)
    if choice == p.strategy:
        return []
    values: dict[str, Any] = {"strategy": choice}
    if choice == "oversample" and facts.imbalance > auto.MAX_GROWTH_OF_A_CLASS:
        values["options"] = {"target_ratio": round(auto.MAX_GROWTH_OF_A_CLASS / facts.imbalance, 3)}
    elif p.options:
        values["options"] = {}  # those were of another strategy
    return section(
        "rebalance",
        values,
        rule="balance the classes by loss weights, by repeating rows of rare ones, or not at all",
        figure=f"the commonest class has {facts.imbalance:.3g} times the rows of the rarest "
        f"({counts.min()}); {because}",
    )
