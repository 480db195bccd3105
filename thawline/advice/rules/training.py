"""Batches: enough steps in an epoch, enough images in a step for batch norm."""

from thawline.advice.facts import Facts
from thawline.advice.proposal import Proposal

_STEPS = 5
"""In an epoch; with fewer, thirty epochs are over before Adam and batch norm have settled."""
_SMALLEST = 8


def propose(facts: Facts) -> list[Proposal]:
    now, rows = facts.params.training.batch_size, int(facts.counts.sum())
    if now == "auto":
        return []
    steps = -(-rows // now)
    if now < _SMALLEST <= rows:
        why = f"batch norm takes its statistics from {now} images at a time"
        return [_batch(_SMALLEST, why)]
    wanted = max(_SMALLEST, _power_of_two(rows // _STEPS))
    if steps >= _STEPS or wanted >= now:
        return []
    return [
        _batch(wanted, f"{rows:,} training images are {steps} steps an epoch in batches of {now}")
    ]


def _batch(size: int, figure: str) -> Proposal:
    rule = "a working model first: some steps in each epoch, and a few images in each step"
    return Proposal(key="training.batch_size", value=size, rule=rule, figure=figure)


def _power_of_two(number: int) -> int:
    """The largest that is no larger."""
    return 1 << max(0, number.bit_length() - 1)
