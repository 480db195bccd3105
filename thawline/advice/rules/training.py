"""Propose fast numerics, where the device has them."""

from thawline.advice.facts import Facts
from thawline.params.proposal import AUTO, Proposal


def propose(facts: Facts) -> list[Proposal]:
    if not facts.quick_bfloat16 or facts.params.training.precision != "float32":
        return []
    return [
        Proposal(
            key="training.precision",
            value=AUTO,
            rule="equal accuracy in less time",
            figure="the device that trains multiplies bfloat16, which `auto` takes where it is "
            "the quicker one",
        )
    ]
