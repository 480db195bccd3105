"""Proposal: a value for a key of params.yaml, and why."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from thawline.params.schema.whole import Params

AUTO = "auto"
"""Value that leaves a key to the stage, which decides by the data; no proposal replaces it."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Value for a key, with the rule and the measurement behind it.

    Attributes:
        key: dotted key, as in params.yaml.
        value: value to set.
        rule: rule of transfer learning that it follows, one line.
        figure: measurement on this data set, one line.
    """

    key: str
    value: Any
    rule: str
    figure: str

    @property
    def reason(self) -> str:
        """Rule and measurement, one line."""
        return f"{self.rule}: {self.figure}"


def section(name: str, values: Mapping[str, Any], *, rule: str, figure: str) -> list[Proposal]:
    """Make proposals for several keys of a section by one rule."""
    return [
        Proposal(key=f"{name}.{key}", value=value, rule=rule, figure=figure)
        for key, value in values.items()
    ]


def current(params: Params, key: str) -> Any:
    """Return the value of a dotted key, as params.yaml would hold it."""
    value = reduce(getattr, key.split("."), params)
    return list(value) if isinstance(value, tuple) else value


def is_auto(params: Params, *keys: str) -> bool:
    """Tell whether one of the dotted keys is left to the stage that reads it."""
    return any(current(params, key) == AUTO for key in keys)


def spell(value: Any) -> str:
    """Write a value much as params.yaml spells it, for a person."""
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
