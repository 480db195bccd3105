"""Augmentation: only changes that can occur; light and mirror are fine for photographs."""

from typing import Any

from thawline.advice.facts import Facts
from thawline.advice.proposal import Proposal, section

_FOR_GREY = ("characters", "documents")


def propose(facts: Facts) -> list[Proposal]:
    p = facts.params.augment
    wrong = facts.colour and p.policy in _FOR_GREY
    if p.policy != "none" and not wrong:
        return []
    kind = "in colour" if facts.colour else "grey"
    values: dict[str, Any] = {"policy": "light"} | ({"options": {}} if p.options else {})
    return section(
        "augment",
        values,
        rule="more data for free, but only changes that can occur: light and mirror mostly are",
        figure=f"{facts.counts.sum():,} training images, {kind}",
    )
