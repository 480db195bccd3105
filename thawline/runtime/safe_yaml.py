"""Read YAML that somebody else may have written: plain values, bounded in size and depth."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

from thawline.errors import UserError

_MAX_BYTES = 100_000
_MAX_DEPTH = 50
"""The parser is pure Python: a megabyte took it half a minute, 5,000 open brackets 20 s."""
_BRACKETS = re.compile(r"[\[\]{}]")
_DAMAGE = (
    YAMLError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError,
)  # fmt: skip
"""A tag with a value that does not fit it: `!!bool x` is a KeyError, `!!int x` a ValueError."""


def load(path: Path) -> Any:
    """Read safe YAML 1.2 (as DVC reads it: 1e-4 is a number).

    No aliases: they can blow up memory.

    Raises:
        UserError: missing, unreadable, too large or deep, not YAML, not UTF-8, an alias, a tag.
    """
    return read(path)[0]


def read(path: Path) -> tuple[Any, bytes]:
    """Read YAML as `load` does; return the value and the bytes it was read from."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise UserError(f"{path}: {len(data)} bytes; at most {_MAX_BYTES} are allowed")
    return _parse(str(path), data), data


def parse(text: str, place: str) -> Any:
    """Parse a value from the command line as if it stood in a file.

    Raises:
        UserError: not valid YAML; place names it.
    """
    return _parse(place, text.encode("utf-8", "surrogateescape"))


def parse_machine_written(text: str) -> Any:
    """Parse YAML that DVC, a program of ours or a merge has written, e.g. dvc.lock, at any size.

    Once and not twice, as `load` does, and by libyaml: it is read at the start of every stage (a
    dvc.lock of 3,474 lines in 0.06 instead of 0.30 s).

    Raises:
        ValueError: whatever is wrong with it.
    """
    depth = 0
    for mark in _BRACKETS.findall(text):
        depth += 1 if mark in "[{" else -1
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
    try:
        return YAML(typ="safe").load(text)
    except _DAMAGE as error:
        raise ValueError(_problem(error)) from None


def format_value(value: Any) -> str:
    """Format a value for a message: one line, at most 80 characters."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        text = "a number of more digits than can be written"
    return text if len(text) <= 80 else text[:77] + "..."


def _parse(path: str, data: bytes) -> Any:
    yaml = YAML(typ="safe", pure=True)
    try:
        text = data.decode("utf-8")
        _check_events(path, yaml.parse(text))
        return yaml.load(text)
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file in UTF-8") from None
    except _DAMAGE as error:
        raise UserError(f"{path}: not valid YAML: {_problem(error)}") from None


def _check_events(path: str, events: Iterable[Any]) -> None:
    depth = 0
    for event in events:
        if isinstance(event, AliasEvent):
            raise UserError(f"{path}: YAML aliases (*name) are not allowed; write the value out")
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise UserError(f"{path}: nested too deeply; allowed: sections of keys")


def _problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    problem = getattr(error, "problem", None) or str(error)
    return " ".join(str(problem).split()) + place
