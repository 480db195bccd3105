"""Plan the trials of a study, all checked against params.yaml before the first one runs."""

import copy
import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, Literal

from thawline.errors import UserError
from thawline.params import params_file
from thawline.params.schema.whole import Params
from thawline.runtime.safe_yaml import format_value
from thawline.studies import mistakes
from thawline.studies.definition import LABEL, MOST_TRIALS, Axis, Definition, Interval

SEED, THREADS, REFIT = "seed", "training.threads", "transfer_learn.refit"
_MOST_CONTENDERS = 1000
_PARTS = 12


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One point of the grid: values of params.yaml by their dotted keys, base included."""

    label: str
    overrides: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One pair of contenders, by their labels, and the expected difference."""

    says: str
    baseline: str
    contender: str
    expect: Literal["better", "not_worse"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One contender with one seed."""

    study: str
    contender: str
    seed: int
    overrides: Mapping[str, Any]
    """Everything that differs from params.yaml, seed and threads included."""

    def key(self, code: str) -> str:
        """Hash the overrides and the code; twelve hexadecimal digits.

        Args:
            code: a hash of everything else that the result depends on.
        """
        text = json.dumps([code, dict(self.overrides)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_PARTS]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A definition with its grid; a search has no contenders beforehand."""

    name: str
    path: Path
    definition: Definition
    contenders: Sequence[Contender]
    claims: Sequence[Claim]
    changed: str = ""
    """Changes from the command line, as they were written there."""

    def trials(self, threads: int) -> list[Trial]:
        """List the trials; seeds change fastest.

        So the first ones to run side by side share no stage.
        """
        return [
            trial(self.name, contender, seed, threads)
            for contender in self.contenders
            for seed in self.definition.seeds
        ]


def trial(study: str, contender: Contender, seed: int, threads: int) -> Trial:
    values = {THREADS: threads} | dict(contender.overrides) | {SEED: seed, REFIT: "none"}
    return Trial(study=study, contender=contender.label, seed=seed, overrides=values)


def study(path: Path, definition: Definition, project: Params, changed: str = "") -> Study:
    """Lay out the grid and check every point of it.

    Args:
        path: the study's file.
        definition: its content.
        project: params.yaml, which trials start from.
        changed: changes from the command line, for the report.

    Raises:
        UserError: an unknown key, a value that params.yaml could not have, linked lists of
            different lengths, a comparison of what is not in the grid.
    """
    contenders = _contenders(path, definition)
    for contender in contenders:
        checked(path, project, contender.overrides, contender.label)
    if definition.search is not None:
        _check_search(path, definition, project)
    claims = list(_claims(path, definition, [c.label for c in contenders]))
    return Study(
        name=path.stem,
        path=path,
        definition=definition,
        contenders=contenders,
        claims=claims,
        changed=changed,
    )


def checked(path: Path, project: Params, overrides: Mapping[str, Any], label: str) -> Params:
    """Apply overrides to params.yaml and check the result.

    Raises:
        UserError: it is not valid; the message names the study's file and the contender.
    """
    raw = copy.deepcopy(project.model_dump())
    allowed = keys(project)
    for key, value in overrides.items():
        if key not in allowed:
            raise unknown(f"{path}: key", key, project)
        *sections, last = key.split(".")
        reduce(getitem, sections, raw)[last] = copy.deepcopy(value)
    try:
        if overrides.get(REFIT, "none") != "none":
            raise UserError(
                f"{path}: {REFIT}: {format_value(str(overrides[REFIT]))}; allowed: none, since "
                "trials are compared by the validation rows"
            )
        return params_file.check(raw, path)
    except UserError as error:
        raise UserError(f"{error} (in {format_value(label)})") from None


def keys(project: Params) -> list[str]:
    """List the dotted keys of params.yaml, sorted; an `options` section is one value."""
    return sorted(_keys(project.model_dump()))


def unknown(place: str, key: str, project: Params) -> UserError:
    """Build the error for an unknown key of params.yaml; it names its section's keys."""
    section = key.rpartition(".")[0]
    beside = [k for k in keys(project) if k.startswith(f"{section}.")] if section else []
    return mistakes.unknown(place, key, beside or type(project).model_fields)


def _keys(raw: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    for key, value in raw.items():
        if isinstance(value, Mapping) and not key.endswith("options"):
            yield from _keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _contenders(path: Path, definition: Definition) -> list[Contender]:
    steps = [_steps(path, axis) for axis in definition.axes or []]
    for key in (*definition.base, *(key for axis in definition.axes or [] for key in axis)):
        if key == SEED:
            raise UserError(f"{path}: {SEED}: is not an axis; list the values under `seeds`")
    if definition.axes is None:
        return []
    number = math.prod(map(len, steps))
    if number > _MOST_CONTENDERS or number * len(definition.seeds) > MOST_TRIALS:
        raise UserError(
            f"{path}: axes: {number:,} contenders of {len(definition.seeds):,} seeds; allowed: at "
            f"most {_MOST_CONTENDERS:,} contenders, and {MOST_TRIALS:,} trials of them"
        )
    found = [
        Contender(
            label=", ".join(label for label, _ in point),
            overrides=definition.base | {k: v for _, values in point for k, v in values.items()},
        )
        for point in itertools.product(*steps)
    ]
    labels = [contender.label for contender in found]
    for label in labels:
        if labels.count(label) > 1:
            raise UserError(f"{path}: axes: two contenders are called {label!r}; set `{LABEL}`")
    return found


def _steps(path: Path, axis: Axis) -> list[tuple[str, dict[str, Any]]]:
    """List label and values of each step along one axis."""
    lengths = {key: len(values) for key, values in axis.items()}
    if len(set(lengths.values())) != 1 or not set(axis) - {LABEL}:
        listed = ", ".join(f"{key} has {number}" for key, number in lengths.items())
        raise UserError(
            f"{path}: axes: keys of one axis change together and need lists of one length; {listed}"
        )
    rows = [dict(zip(axis, values, strict=True)) for values in zip(*axis.values(), strict=True)]
    return [(_label(row), {k: v for k, v in row.items() if k != LABEL}) for row in rows]


def _label(row: Mapping[str, Any]) -> str:
    if LABEL in row:
        return _text(row[LABEL])
    return " ".join(_text(value) for value in row.values())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _claims(path: Path, definition: Definition, labels: Sequence[str]) -> Iterable[Claim]:
    for comparison in definition.comparisons:
        named = [_text(name) for name in (comparison.baseline, *comparison.contenders)]
        for name in named:
            if name not in labels:
                raise mistakes.unknown(f"{path}: comparisons: contender", name, labels)
        if named[0] in named[1:] or len(set(named)) < len(named):
            raise UserError(f"{path}: comparisons: {named[0]!r} is compared with itself")
        for name in named[1:]:
            yield Claim(
                says=comparison.says, baseline=named[0], contender=name, expect=comparison.expect
            )


def _check_search(path: Path, definition: Definition, project: Params) -> None:
    """Check the ends of each range and each choice, other keys at their first value."""
    assert definition.search is not None
    space = definition.search.space
    ends = {k: [s.low, s.high] if isinstance(s, Interval) else s for k, s in space.items()}
    first = {key: values[0] for key, values in ends.items()}
    for key, values in ends.items():
        for value in values:
            checked(path, project, definition.base | first | {key: value}, f"{key}: {value}")
