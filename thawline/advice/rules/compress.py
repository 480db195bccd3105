"""Propose compression: int8 first, then pruning of the channels that matter least."""

from thawline.advice.facts import Facts
from thawline.params.proposal import Proposal
from thawline.plots.quantities import megabytes, milliseconds

_RATIOS = [0.0, 0.2, 0.4, 0.6]


def propose(facts: Facts) -> list[Proposal]:
    over, p = _over(facts), facts.params.compress
    if not over:
        return []
    found = []
    if not p.quantize.enabled:
        rule = "8-bit integers take a quarter of the bytes; what they gain in time is measured"
        found.append(Proposal(key="compress.quantize.enabled", value=True, rule=rule, figure=over))
    xnor = facts.params.model.design.convolution == "xnor"  # its channels cannot be taken out
    if not (any(p.prune.ratio) or xnor or _smaller(facts)):
        rule = "remove the channels that matter least, train again, and measure: it keeps accuracy"
        found.append(Proposal(key="compress.prune.ratio", value=_RATIOS, rule=rule, figure=over))
    return found


def _over(facts: Facts) -> str:
    """Describe how the network exceeds the budget; empty where it does not, or is unknown."""
    size, latency = facts.cost.size_mb, facts.latency_ms
    max_ms, max_mb = facts.params.budget.max_latency_ms, facts.params.budget.max_size_mb
    if max_ms is not None and latency is not None and latency > max_ms:
        measured = f"measured {milliseconds(latency)} on {facts.timed_on}"
        return f"{measured}, budget.max_latency_ms {milliseconds(max_ms)}"
    if max_mb is not None and size > max_mb:
        return f"{megabytes(size)}, budget.max_size_mb {megabytes(max_mb)}"
    return ""


def _smaller(facts: Facts) -> bool:
    """Return True where a smaller network of the family is known, as the rule for `model`."""
    return any(cost.macs < facts.cost.macs for cost in facts.costs.values())
