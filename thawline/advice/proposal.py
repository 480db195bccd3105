"""A proposal, and how the rules of all sections are asked for theirs."""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thawline.advice.facts import Facts
from thawline.sections import Params


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One value for one key.

    Attributes:
        key: dotted, as in params.yaml.
        rule: what the guide says, one line.
        figure: what was measured on this data set, one line.
    """

    key: str
    value: Any
    rule: str
    figure: str


def section(name: str, values: Mapping[str, Any], *, rule: str, figure: str) -> list[Proposal]:
    """Proposals for several keys of a section out of one rule."""
    return [
        Proposal(key=f"{name}.{key}", value=value, rule=rule, figure=figure)
        for key, value in values.items()
    ]


def sections() -> tuple[str, ...]:
    """Sections that have a rule, in the order of params.yaml."""
    files = {path.stem for path in (Path(__file__).parent / "rules").glob("[!_]*.py")}
    return tuple(name for name in Params.model_fields if name in files)


def propose(facts: Facts) -> list[Proposal]:
    """What the rules of every section propose and params do not say already."""
    found: list[Proposal] = []
    for name in sections():
        rule = importlib.import_module(f"thawline.advice.rules.{name}")
        found += _news(rule.propose(facts), facts.params)
    return found


def current(params: Params, key: str) -> Any:
    """The value of a dotted key."""
    name, inner = key.split(".", 1)
    return getattr(getattr(params, name), inner)


def _news(proposals: Iterable[Proposal], params: Params) -> list[Proposal]:
    return [p for p in proposals if current(params, p.key) != p.value]
