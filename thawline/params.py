"""params.yaml to frozen typed sections; the only reader of that file.

A mistake is one line that names the file, the key, the value and what is allowed.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

from thawline import plugins
from thawline.errors import UserError
from thawline.sections import Params

FILE = Path("params.yaml")
_MAX_BYTES = 100_000
_MAX_DEPTH = 50
"""The parser is pure Python: a megabyte took it half a minute, 5,000 open brackets 20 s."""
_OPTION_SECTIONS = {
    plugins.SOURCE: ("ingest", "source"),
    plugins.STRATEGY: ("rebalance", "strategy"),
    plugins.POLICY: ("augment", "policy"),
}


def load(path: Path = FILE) -> Params:
    """Read and check the whole file.

    Raises:
        UserError: missing, unreadable, not YAML, an unknown key, a wrong type, a value out of
            range, an unknown plugin, or an option that the chosen plugin does not have.
    """
    raw = _read(path)
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path}: {_describe(error, Params)}") from None
    for problem in _plugin_problems(params):
        raise UserError(f"{path}: {problem}")
    if params.ingest.val_ratio + params.ingest.test_ratio > 0.8:
        total = params.ingest.val_ratio + params.ingest.test_ratio
        raise UserError(
            f"{path}: ingest.val_ratio + ingest.test_ratio: {total:g} leaves too little to train "
            "on; allowed: at most 0.8 together"
        )
    return params


def check_inputs(params: Params) -> None:
    """Before DVC starts: it deletes a stage's outputs, and only then misses what the stage reads.

    Raises:
        UserError: a file or folder that params name is not there.
    """
    named = {
        "ingest.path": params.ingest.path,
        "augment.file": params.augment.file,
        "model.weights_file": params.model.weights_file,
    }
    for key, path in named.items():
        if not Path(path).exists():
            raise UserError(
                f"{FILE}: {key}: {path!r} does not exist; `data/none` stands for nothing"
            )


def flatten(params: BaseModel | Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys to scalars, lists kept as they are; for logging."""
    raw = params.model_dump() if isinstance(params, BaseModel) else params
    flat: dict[str, Any] = {}
    for key, value in raw.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise UserError(f"{path}: {len(data)} bytes; at most {_MAX_BYTES} are allowed")
    raw = _parse(path, data)
    if not isinstance(raw, dict):
        shown = "an empty file" if raw is None else type(raw).__name__
        raise UserError(
            f"{path}: {shown} where sections are expected: {_listed(Params.model_fields)}"
        )
    return raw


def _parse(path: Path, data: bytes) -> Any:
    """Safe YAML 1.2 (as DVC reads it: 1e-4 is a number); no aliases: they can blow up memory."""
    yaml = YAML(typ="safe", pure=True)
    try:
        text = data.decode("utf-8")
        _check_events(path, yaml.parse(text))
        return yaml.load(text)
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file in UTF-8") from None
    # A tag with a value that does not fit it: `!!bool x` is a KeyError, `!!int x` a ValueError.
    except (YAMLError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise UserError(f"{path}: not valid YAML: {_yaml_problem(error)}") from None


def _check_events(path: Path, events: Iterable[Any]) -> None:
    depth = 0
    for event in events:
        if isinstance(event, AliasEvent):
            raise UserError(f"{path}: YAML aliases (*name) are not allowed; write the value out")
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise UserError(f"{path}: nested too deeply; allowed: sections of keys")


def _yaml_problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    problem = getattr(error, "problem", None) or str(error)
    return " ".join(str(problem).split()) + place


def _plugin_problems(params: Params) -> Iterator[str]:
    for kind in plugins.KINDS:
        section, key = kind.key.split(".")
        name = getattr(getattr(params, section), key)
        if name not in plugins.names(kind):
            yield _not_allowed(kind.key, name, plugins.names(kind))
        elif kind in _OPTION_SECTIONS:
            yield from _option_problems(kind, section, name, getattr(params, section).options)
    yield from _architecture_problems(params)


def _option_problems(
    kind: plugins.Kind, section: str, name: str, options: Mapping[str, Any]
) -> Iterator[str]:
    error = plugins.option_errors(kind, name, options)
    if error is None:
        return
    first = error.errors()[0]
    key = _dotted((section, "options", *first["loc"]))
    allowed = plugins.option_names(kind, name)
    if first["type"] == "extra_forbidden":
        close = _close(str(first["loc"][-1]), allowed)
        listed = _listed(allowed) or "none"
        yield f"{key}: not an option of {section} {name!r}; allowed: {listed}{close}"
    else:
        yield f"{key}: {_reason(first)}"


def _architecture_problems(params: Params) -> Iterator[str]:
    known = plugins.constant(plugins.FAMILY, params.model.family, "NAMES")
    if known is not None and params.model.name not in known:
        yield _not_allowed("model.name", params.model.name, known)


def _describe(error: ValidationError, model: type[BaseModel]) -> str:
    errors = error.errors()
    # A misspelt key is missing under its right name too: name what stands in the file.
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    loc = first["loc"]
    key = _dotted(loc)
    kind = next((kind for kind in plugins.KINDS if kind.key == key), None)
    if kind and first["type"] == "string_pattern_mismatch":
        return _not_allowed(key, first["input"], plugins.names(kind))
    if first["type"] == "extra_forbidden":
        allowed = _fields_at(model, loc[:-1])
        return f"{key}: unknown key; allowed: {_listed(allowed)}{_close(str(loc[-1]), allowed)}"
    if first["type"] == "missing":
        return f"{key}: missing; every key of the file must be there"
    return f"{key}: {_reason(first)}"


def _fields_at(model: type[BaseModel], loc: tuple[Any, ...]) -> tuple[str, ...]:
    for part in loc:
        model = model.model_fields[str(part)].annotation  # type: ignore[assignment]
    return tuple(model.model_fields)


def _reason(error: Any) -> str:
    message = error["msg"][0].lower() + error["msg"][1:]
    return f"{_shown(error['input'])} is not allowed: {message}"


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        text = "a number of more digits than can be written"
    return text if len(text) <= 80 else text[:77] + "..."


def _dotted(loc: Iterable[Any]) -> str:
    """A key of the file on one line, whatever characters stand in it."""
    text = ".".join(map(str, loc))
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= 120 else text[:117] + "..."


def _not_allowed(key: str, value: str, allowed: tuple[str, ...]) -> str:
    return f"{key}: {_shown(value)} is unknown; allowed: {_listed(allowed)}{_close(value, allowed)}"


def _listed(values: Any) -> str:
    return ", ".join(values)


def _close(value: str, allowed: Any) -> str:
    match = difflib.get_close_matches(value, list(allowed), n=1)
    return f". Did you mean {match[0]!r}?" if match else ""
