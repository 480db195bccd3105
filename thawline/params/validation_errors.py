"""Describe a mistake in a person's file in one line: the key, the value and what is allowed."""

import difflib
from collections.abc import Iterable
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError

from thawline.params import plugins
from thawline.runtime.safe_yaml import format_value


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """Describe pydantic's first error in the file; of several, an unknown key goes first."""
    errors = error.errors()
    # A misspelt key is missing under its right name too: name what stands in the file.
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    loc = _in_file(model, first["loc"])
    key = dotted(loc)
    kind = next((kind for kind in plugins.KINDS if kind.key == key), None)
    if kind and first["type"] == "string_pattern_mismatch":
        return not_allowed(key, first["input"], plugins.names(kind))
    if first["type"] == "extra_forbidden":
        allowed = _fields_at(model, loc[:-1])
        return f"{key}: unknown key; allowed: {listed(allowed)}{close(str(loc[-1]), allowed)}"
    if first["type"] == "missing":
        return f"{key}: missing; every key of the file must be there"
    return f"{key}: {reason(*(e for e in errors if _in_file(model, e['loc']) == loc))}"


def _in_file(model: type[BaseModel], loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """Remove the branches of a union, which pydantic names among the keys."""
    kept, at = [], model
    for part in loc:
        section = isinstance(at, type) and issubclass(at, BaseModel)
        if section or isinstance(part, int) or get_origin(at) is dict:
            kept.append(part)
        if section and part in at.model_fields:
            at = at.model_fields[part].annotation  # type: ignore[assignment]
    return tuple(kept)


def _fields_at(model: type[BaseModel], loc: tuple[Any, ...]) -> tuple[str, ...]:
    for part in loc:
        model = model.model_fields[str(part)].annotation  # type: ignore[assignment]
    return tuple(model.model_fields)


def reason(*errors: Any) -> str:
    """Give the reason of one error, or those of a union's branches, with the value."""
    messages = dict.fromkeys(error["msg"][0].lower() + error["msg"][1:] for error in errors)
    return f"{format_value(errors[0]['input'])} is not allowed: {', or '.join(messages)}"


def dotted(loc: Iterable[Any]) -> str:
    """Write a key of the file on one line, whatever characters it has."""
    text = ".".join(map(str, loc))
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= 120 else text[:117] + "..."


def not_allowed(key: str, value: object, allowed: tuple[str, ...]) -> str:
    """Describe a name that is none of the known ones."""
    hint = close(str(value), allowed)
    return f"{key}: {format_value(value)} is unknown; allowed: {listed(allowed)}{hint}"


def listed(values: Iterable[str]) -> str:
    """Join values with commas."""
    return ", ".join(values)


def close(value: str, allowed: Iterable[str]) -> str:
    """Hint at a similar value; empty where there is none."""
    match = difflib.get_close_matches(value, list(allowed), n=1)
    return f". Did you mean {match[0]!r}?" if match else ""
