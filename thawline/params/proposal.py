"""A proposal: one value for one key of params.yaml, and why."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from thawline.params.schema.whole import Params

AUTO = "auto"
"""A value that a stage decides on the data; no proposal takes its place."""


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

    @property
    def reason(self) -> str:
        return f"{self.rule}: {self.figure}"


def section(name: str, values: Mapping[str, Any], *, rule: str, figure: str) -> list[Proposal]:
    """Proposals for several keys of a section out of one rule."""
    return [
        Proposal(key=f"{name}.{key}", value=value, rule=rule, figure=figure)
        for key, value in values.items()
    ]


def current(params: Params, key: str) -> Any:
    """The value of a dotted key, as params.yaml would hold it."""
    value = reduce(getattr, key.split("."), params)
    return list(value) if isinstance(value, tuple) else value


def is_auto(params: Params, *keys: str) -> bool:
    """Tell whether one of the dotted keys is left to the stage that reads it."""
    return any(current(params, key) == AUTO for key in keys)


def shown(value: Any) -> str:
    """A value as params.yaml spells it, near enough for a person."""
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
