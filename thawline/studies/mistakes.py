"""A mistake in a study's file as one line: the file, the key, the value, what is allowed."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from thawline.errors import UserError
from thawline.safe_yaml import shown


def unknown(place: str, value: object, allowed: Iterable[str]) -> UserError:
    """For a value that is none of the allowed ones; a similar one is proposed."""
    known = list(allowed)
    close = difflib.get_close_matches(str(value), known, n=1)
    hint = f". Did you mean {close[0]!r}?" if close else ""
    listed = ", ".join(known) or "none"
    return UserError(f"{place}: {shown(value)} is unknown; allowed: {listed}{hint}")


def describe(path: Path, error: ValidationError, model: type[BaseModel]) -> UserError:
    """What pydantic has against the file; of several mistakes an unknown key goes first."""
    errors = error.errors()
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    place = f"{path}: {_dotted(first['loc'])}"
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        return unknown(path.as_posix(), first["loc"][0], model.model_fields)
    if first["type"] == "missing":
        return UserError(f"{place}: missing")
    message = first["msg"][0].lower() + first["msg"][1:]
    return UserError(f"{place}: {shown(first['input'])} is not allowed: {message}")


def _dotted(loc: Iterable[Any]) -> str:
    text = ".".join(map(str, loc)) or "the file"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
