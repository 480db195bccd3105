"""Propose the network: within the budget first, then as good as it has to be.

Speed is judged by what was measured. A smaller network is named by its MACs, which are not speed:
the next run measures it.
"""

from thawline.advice.facts import Facts
from thawline.params.proposal import Proposal
from thawline.plots.quantities import count, megabytes, milliseconds, percent


def propose(facts: Facts) -> list[Proposal]:
    return _too_large(facts) or _too_slow(facts) or _too_weak(facts)


def _too_large(facts: Facts) -> list[Proposal]:
    limit = facts.params.budget.max_size_mb
    if limit is None or facts.cost.size_mb <= limit:
        return []
    fitting = [name for name, cost in facts.costs.items() if cost.size_mb <= limit]
    figure = f"{megabytes(facts.cost.size_mb)}, budget.max_size_mb {megabytes(limit)}"
    return _proposal(facts, _largest(facts, fitting), "depth and channels buy accuracy", figure)


def _too_slow(facts: Facts) -> list[Proposal]:
    limit = facts.params.budget.max_latency_ms
    if limit is None or facts.latency_ms is None or facts.latency_ms <= limit:
        return []
    smaller = [name for name, cost in facts.costs.items() if cost.macs < facts.cost.macs]
    figure = (
        f"measured {milliseconds(facts.latency_ms)} on {facts.timed_on}, budget.max_latency_ms "
        f"{milliseconds(limit)}"
    )
    return _proposal(facts, _largest(facts, smaller), "MACs are not speed: measure again", figure)


def _too_weak(facts: Facts) -> list[Proposal]:
    """Propose the next larger network of the family, of those with pretrained weights.

    What is better on ImageNet is mostly better elsewhere: Kornblith et al., 2019, "Do better
    ImageNet models transfer better?". From random weights twice the blocks were no better here.
    """
    limit, budget = facts.params.budget.min_accuracy, facts.params.budget
    if facts.params.model.weights == "none":
        return []
    if limit is None or facts.val_accuracy is None or facts.val_accuracy >= limit:
        return []
    larger = [
        name
        for name, cost in facts.costs.items()
        if cost.macs > facts.cost.macs and cost.size_mb <= (budget.max_size_mb or cost.size_mb)
    ]
    chosen = min(larger, key=lambda name: facts.costs[name].macs, default=None)
    figure = (
        f"validation accuracy {percent(facts.val_accuracy)}, budget.min_accuracy {percent(limit)}"
    )
    return _proposal(facts, chosen, "what is better on ImageNet is mostly better elsewhere", figure)


def _largest(facts: Facts, names: list[str]) -> str | None:
    return max(names, key=lambda name: facts.costs[name].macs, default=None)


def _proposal(facts: Facts, name: str | None, rule: str, figure: str) -> list[Proposal]:
    if name is None:
        return []
    macs = f"{count(facts.cost.macs)} MACs would be {count(facts.costs[name].macs)}"
    return [Proposal(key="model.name", value=name, rule=rule, figure=f"{figure}; {macs}")]
