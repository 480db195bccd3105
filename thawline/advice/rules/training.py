"""Batches: enough steps in an epoch, enough images in a step for batch norm. Quick numerics."""

from thawline.advice.facts import Facts
from thawline.advice.proposal import Proposal
from thawline.training.precision import AUTO

_STEPS = 5
"""In an epoch; with fewer, thirty epochs are over before Adam and batch norm have settled."""
_SMALLEST = 8


def propose(facts: Facts) -> list[Proposal]:
    return [*_batches(facts), *_numerics(facts)]


def _numerics(facts: Facts) -> list[Proposal]:
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


def _batches(facts: Facts) -> list[Proposal]:
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
