"""Read params.yaml into frozen, typed sections; the only reader of that file.

A mistake is one line that names the file, the key, the value and what is allowed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from thawline.errors import UserError
from thawline.params import plugin_rules, recipe_rules, validation_errors
from thawline.params.schema.whole import Params
from thawline.runtime import dvc_view, safe_yaml
from thawline.runtime.safe_yaml import format_value

FILE = Path("params.yaml")
_TABLES = {
    Path("data/label_fixes.csv"): "image,label,was",
    Path("data/holdout.csv"): "image,sha256",
}


def load(path: Path = FILE) -> Params:
    """Read and check the whole file.

    Raises:
        UserError: the file is missing, unreadable or not YAML, or has an unknown key, a wrong type,
            a value out of range, an unknown plugin, or an option that a plugin does not have.
    """
    return check(read(path).values, path)


@dataclass(frozen=True)
class ParamsSource:
    """File as it was read: its values before they are checked, and its bytes."""

    values: dict[str, Any]
    text: bytes


def read(path: Path = FILE) -> ParamsSource:
    """Read the file without checking what its sections hold.

    Raises:
        UserError: the file is missing, unreadable, not YAML, or without sections.
    """
    raw, text = safe_yaml.read(path)
    if not isinstance(raw, dict):
        found = "an empty file" if raw is None else type(raw).__name__
        sections = validation_errors.listed(Params.model_fields)
        raise UserError(f"{path}: {found} where sections are expected: {sections}")
    return ParamsSource(raw, text)


def check(raw: Mapping[str, Any], path: Path = FILE) -> Params:
    """Check values as `load` does, of the file or for it; `path` is named in messages."""
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path}: {validation_errors.describe(error, Params)}") from None
    for problem in chain(plugin_rules.problems(params), recipe_rules.problems(params)):
        raise UserError(f"{path}: {problem}")
    if params.ingest.val_ratio + params.ingest.test_ratio > 0.8:
        total = params.ingest.val_ratio + params.ingest.test_ratio
        raise UserError(
            f"{path}: ingest.val_ratio + ingest.test_ratio: {total:g} leaves too little to train "
            "on; allowed: at most 0.8 together"
        )
    _check_pattern(path, params.ingest.group_by)
    return params


def check_inputs(params: Params) -> None:
    """Check before DVC starts that the inputs named in params exist.

    DVC deletes a stage's outputs, and only then misses what the stage reads.

    Raises:
        UserError: a file or folder that params name is not there, or DVC cannot read it.
    """
    for key, path in named_inputs(params).items():
        if not Path(path).exists():
            home = "; ~ is not expanded here: write the whole path" if path[:1] == "~" else ""
            raise UserError(
                f"{FILE}: {key}: {path!r} does not exist{home}; `{plugin_rules.NOTHING}` means "
                "no file"
            )
        if found := dvc_view.broken(Path(path)):
            raise UserError(
                f"{FILE}: {key}: DVC, which reads all of {path!r} first, cannot read "
                f"{len(found):,} of its files; first {format_value(found[0].name)}: "
                f"{found[0].reason}; put them right or remove them"
            )
    for table, header in _TABLES.items():
        if not table.exists():
            raise UserError(f"{table}: does not exist; an empty one holds the line {header}")


def named_inputs(params: Params) -> dict[str, str]:
    """List the keys whose value is a path that a stage reads, with that path."""
    return {
        "ingest.path": params.ingest.path,
        "augment.file": params.augment.file,
        "model.weights_file": params.model.weights_file,
        "fine_tune.distill.checkpoint": params.fine_tune.distill.checkpoint,
    }


def flatten(params: BaseModel | Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten params to scalars by dotted keys, for logging; lists stay as they are."""
    raw = params.model_dump() if isinstance(params, BaseModel) else params
    flat: dict[str, Any] = {}
    for key, value in raw.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _check_pattern(path: Path, pattern: str | None) -> None:
    """Check the pattern without loading RE2; ingest checks the rest before it reads an image."""
    try:
        number = 1 if pattern is None else re.compile(pattern).groups
        problem = f"has {number} groups in parentheses" if number != 1 else ""
    except (re.error, RecursionError, OverflowError) as error:
        problem = f"is no regular expression: {error}"
    if problem:
        raise UserError(
            f"{path}: ingest.group_by: {format_value(pattern)} {problem}; expected one with "
            r"exactly one group, e.g. (patient\d+)"
        )
