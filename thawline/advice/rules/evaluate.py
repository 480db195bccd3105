"""Propose enough samples for meaningful intervals and percentiles."""

from thawline.advice.facts import Facts
from thawline.params.proposal import Proposal

_RESAMPLES = 2000
_REPEATS = 100


def propose(facts: Facts) -> list[Proposal]:
    p, found = facts.params.evaluate, []
    if p.bootstrap_samples < _RESAMPLES:
        found.append(
            Proposal(
                key="evaluate.bootstrap_samples",
                value=_RESAMPLES,
                rule="no score without its interval",
                figure=f"the ends of a 95 % interval rest on {p.bootstrap_samples // 40} of "
                f"{p.bootstrap_samples} resamples of {facts.num_test:,} test images",
            )
        )
    if p.latency_repeats < _REPEATS:
        found.append(
            Proposal(
                key="evaluate.latency_repeats",
                value=_REPEATS,
                rule="MACs are not speed: every claim about speed is measured",
                figure=f"the 99th percentile of {p.latency_repeats} repeats is the slowest of them",
            )
        )
    return found
