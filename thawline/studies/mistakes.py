"""Report a mistake in a study's file in one line: file, key, value, what is allowed."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ValidationError

from thawline.errors import UserError
from thawline.params import validation_errors


def unknown(place: str, value: object, allowed: Iterable[str]) -> UserError:
    """Build the error for a value that is not allowed; a similar allowed one is proposed."""
    return UserError(validation_errors.not_allowed(place, value, tuple(allowed) or ("none",)))


def describe(path: Path, error: ValidationError, model: type[BaseModel]) -> UserError:
    """Build the error for pydantic's findings; of several, an unknown key comes first."""
    errors = error.errors()
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    place = f"{path}: {validation_errors.dotted(first['loc']) or 'the file'}"
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        return unknown(path.as_posix(), first["loc"][0], model.model_fields)
    if first["type"] == "missing":
        return UserError(f"{place}: missing")
    return UserError(f"{place}: {validation_errors.reason(first)}")
