"""Ask the rules of all sections for their proposals."""

from thawline.advice.facts import Facts
from thawline.advice.rules import (
    augment,
    compress,
    evaluate,
    fine_tune,
    ingest,
    model,
    rebalance,
    training,
    transfer_learn,
)
from thawline.params.proposal import AUTO, Proposal, current

RULES = {
    rule.__name__.rpartition(".")[2]: rule
    for rule in (
        ingest, rebalance, augment, model, training, transfer_learn, fine_tune, compress, evaluate,
    )
}  # fmt: skip
"""Rules by section, in the order of params.yaml. Named here, so that DVC sees them as code."""


def propose(facts: Facts) -> list[Proposal]:
    """List the rules' proposals that params do not have already and no stage decides itself."""
    found = [proposal for rule in RULES.values() for proposal in rule.propose(facts)]
    return [p for p in found if current(facts.params, p.key) not in (p.value, AUTO)]
