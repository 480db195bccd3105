"""Print advice: the figures it rests on, then one row per proposal."""

import sys
from collections.abc import Sequence
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from thawline.advice.facts import Facts
from thawline.params.proposal import Proposal, current, spell
from thawline.plots.quantities import count, megabytes, milliseconds, percent
from thawline.training import freeze_decision

_PLAIN_WIDTH = 160


def show(facts: Facts, proposals: Sequence[Proposal], file: TextIO | None = None) -> None:
    """Print figures and proposals; plain text of a fixed width where it is no terminal."""
    console = Console(file=file or sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(
            file=file or sys.stdout, highlight=False, width=_PLAIN_WIDTH, color_system=None
        )
    for line in measured(facts):
        console.print(Text(line))
    if not proposals:
        console.print(Text("Nothing to propose: params.yaml agrees with the figures."))
        return
    console.print(table(facts, proposals, plain=not console.is_terminal))


def measured(facts: Facts) -> list[str]:
    """Describe the data set, the network, its likeness to the pretraining data, the budget."""
    m, cost = facts.params.model, facts.cost
    kind = "in colour" if facts.colour else "grey"
    return [
        f"Data: {facts.counts.sum():,} training images, {kind}, of {len(facts.counts)} classes; "
        f"commonest {facts.counts.max():,}, rarest {facts.counts.min():,}; median shorter side "
        f"{facts.side_px} px.",
        f"Network: {m.name} at {facts.image_size_px} px: "
        f"{count(cost.parameters)} parameters, {count(cost.macs)} MACs, {megabytes(cost.size_mb)}.",
        _likeness(facts),
        _budget(facts),
    ]


def table(facts: Facts, proposals: Sequence[Proposal], *, plain: bool = False) -> Table:
    """Build the table: key, value now, value proposed, and why.

    A reason that holds for several keys stands once.
    """
    drawn = Table(box=None if plain else box.SIMPLE_HEAD, pad_edge=not plain)
    for name in ("key", "now", "proposed"):
        drawn.add_column(name, no_wrap=True)
    drawn.add_column("the rule, and the figure behind it")
    before: tuple[str, str] | None = None
    for p in proposals:
        why = (p.rule, p.figure)
        reason = "" if why == before else p.reason
        cells = (p.key, spell(current(facts.params, p.key)), spell(p.value), reason)
        drawn.add_row(*map(Text, cells))
        before = why
    return drawn


def _likeness(facts: Facts) -> str:
    if facts.profile is None:
        return "Likeness to the pretraining data: none to compare, model.weights is none."
    reason = freeze_decision.by_profile("fine_tune", facts.profile).reason
    return f"Likeness to the pretraining data: {reason.rpartition('; so it ')[0] or reason}."


def _budget(facts: Facts) -> str:
    budget = facts.params.budget
    timed = f" on {facts.timed_on}" if facts.latency_ms is not None else " (not measured yet)"
    return (
        f"Budget: accuracy {percent(facts.val_accuracy)} (validation) of at least "
        f"{percent(budget.min_accuracy)}; latency {milliseconds(facts.latency_ms)}{timed} of at "
        f"most {milliseconds(budget.max_latency_ms)}; size {megabytes(facts.cost.size_mb)} of at "
        f"most {megabytes(budget.max_size_mb)}."
    )
