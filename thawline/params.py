"""params.yaml to frozen typed sections; the only reader of that file.

A mistake is one line that names the file, the key, the value and what is allowed.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError

from thawline import plugins, recipe_rules, safe_yaml
from thawline.design import resolve_stem
from thawline.errors import UserError
from thawline.safe_yaml import shown
from thawline.sections import Params

FILE = Path("params.yaml")
_TABLES = {
    Path("data/label_fixes.csv"): "image,label,was",
    Path("data/holdout.csv"): "image,sha256",
}
NOTHING = "data/none"
"""What a path key has when nothing is to be read: DVC refuses an empty dependency."""
_OPTION_KEYS = {
    plugins.SOURCE: "ingest.options",
    plugins.STRATEGY: "rebalance.options",
    plugins.POLICY: "augment.options",
    plugins.CONVOLUTION: "model.design.convolution_options",
}


def load(path: Path = FILE) -> Params:
    """Read and check the whole file.

    Raises:
        UserError: missing, unreadable, not YAML, an unknown key, a wrong type, a value out of
            range, an unknown plugin, or an option that the chosen plugin does not have.
    """
    return check(_read(path), path)


def check(raw: Mapping[str, Any], path: Path = FILE) -> Params:
    """As `load`, of what the file holds or might hold."""
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
    _check_pattern(path, params.ingest.group_by)
    return params


def check_inputs(params: Params) -> None:
    """Before DVC starts: it deletes a stage's outputs, and only then misses what the stage reads.

    Raises:
        UserError: a file or folder that params name is not there.
    """
    for key, path in named_inputs(params).items():
        if not Path(path).exists():
            raise UserError(
                f"{FILE}: {key}: {path!r} does not exist; `{NOTHING}` stands for nothing"
            )
    for table, header in _TABLES.items():
        if not table.exists():
            raise UserError(f"{table}: does not exist; an empty one holds the line {header}")


def named_inputs(params: Params) -> dict[str, str]:
    """Keys whose value is a path that a stage reads, with that path."""
    return {
        "ingest.path": params.ingest.path,
        "augment.file": params.augment.file,
        "model.weights_file": params.model.weights_file,
        "fine_tune.distill.checkpoint": params.fine_tune.distill.checkpoint,
    }


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
    raw = safe_yaml.load(path)
    if not isinstance(raw, dict):
        found = "an empty file" if raw is None else type(raw).__name__
        raise UserError(
            f"{path}: {found} where sections are expected: {_listed(Params.model_fields)}"
        )
    return raw


def _check_pattern(path: Path, pattern: str | None) -> None:
    """What can be said without loading RE2; ingest checks the rest before it reads an image."""
    try:
        number = 1 if pattern is None else re.compile(pattern).groups
        problem = f"has {number} groups in parentheses" if number != 1 else ""
    except (re.error, RecursionError, OverflowError) as error:
        problem = f"is no regular expression: {error}"
    if problem:
        raise UserError(
            f"{path}: ingest.group_by: {shown(pattern)} {problem}; expected one with exactly one "
            r"group, e.g. (patient\d+)"
        )


def _plugin_problems(params: Params) -> Iterator[str]:
    for kind in plugins.KINDS:
        name = attrgetter(kind.key)(params)
        if name not in plugins.names(kind):
            yield _not_allowed(kind.key, name, plugins.names(kind))
        elif kind in _OPTION_KEYS:
            options = attrgetter(_OPTION_KEYS[kind])(params)
            yield from _option_problems(kind, _OPTION_KEYS[kind], name, options)
    if "file" in plugins.input_names(plugins.POLICY, params.augment.policy) and (
        params.augment.file == NOTHING
    ):
        yield (
            f"augment.file: {NOTHING!r} stands for nothing; policy {params.augment.policy!r} needs "
            "a YAML file of steps"
        )
    yield from _architecture_problems(params)
    yield from _design_problems(params)
    yield from _smote_problems(params)
    yield from recipe_rules.problems(params)
    if any(params.compress.prune.ratio) and params.model.design.convolution == "xnor":
        yield (
            "compress.prune.ratio: binary layers cannot be pruned; allowed with "
            "model.design.convolution 'xnor': 0"
        )


def _option_problems(
    kind: plugins.Kind, options_key: str, name: str, options: Mapping[str, Any]
) -> Iterator[str]:
    error = plugins.option_errors(kind, name, options)
    if error is None:
        return
    first = error.errors()[0]
    key = _dotted((options_key, *first["loc"]))
    allowed = plugins.option_names(kind, name)
    if first["type"] == "extra_forbidden":
        close = _close(str(first["loc"][-1]), allowed)
        listed = _listed(allowed) or "none"
        yield f"{key}: not an option of {kind.key} {name!r}; allowed: {listed}{close}"
    else:
        yield f"{key}: {_reason(first)}"


def _architecture_problems(params: Params) -> Iterator[str]:
    known = plugins.constant(plugins.FAMILY, params.model.family, "NAMES")
    if known is not None and params.model.name not in known:
        yield _not_allowed("model.name", params.model.name, known)
    known = plugins.constant(plugins.FAMILY, "efficientnet", "NAMES")
    if params.rebalance.feature_model not in known:
        yield _not_allowed("rebalance.feature_model", params.rebalance.feature_model, known)


def _design_problems(params: Params) -> Iterator[str]:
    model, design = params.model, params.model.design
    known = plugins.input_names(plugins.FAMILY, model.family)
    for key, value in (("depth", design.depth), ("width", design.width)):
        if value != 1 and key not in known:
            yield (
                f"model.design.{key}: {value:g} does not fit model.family {model.family!r}, which "
                "is not built from stages that could have another; allowed: 1.0"
            )
    if model.stem == "small" and "stem" not in known:
        yield (
            f"model.stem: 'small' does not fit model.family {model.family!r}, which has one stem "
            "for all sizes; allowed: auto, imagenet"
        )
    yield from _size_problems(params)


def _size_problems(params: Params) -> Iterator[str]:
    model, size = params.model, params.ingest.image_size_px
    stem = resolve_stem(model.stem, family=model.family, weights=model.weights, image_size_px=size)
    limits = plugins.constant(plugins.FAMILY, model.family, "SMALLEST_PX") or {}
    smallest = limits.get(model.name, {})
    if size < smallest.get(stem, 0):
        small = smallest.get("small", size + 1)
        hint = ", or model.stem: small" if stem == "imagenet" and small <= size else ""
        yield (
            f"ingest.image_size_px: {size} leaves nothing after the poolings of {model.name!r}; "
            f"allowed: at least {smallest[stem]}{hint}"
        )


def _smote_problems(params: Params) -> Iterator[str]:
    trainable = params.transfer_learn.trainable
    if params.rebalance.strategy == "smote" and trainable != "head":
        yield (
            f"transfer_learn.trainable: {trainable!r} trains on images, and rebalance.strategy "
            "'smote' makes features of a frozen trunk; allowed with it: head"
        )


def _describe(error: ValidationError, model: type[BaseModel]) -> str:
    errors = error.errors()
    # A misspelt key is missing under its right name too: name what stands in the file.
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    loc = _in_file(model, first["loc"])
    key = _dotted(loc)
    kind = next((kind for kind in plugins.KINDS if kind.key == key), None)
    if kind and first["type"] == "string_pattern_mismatch":
        return _not_allowed(key, first["input"], plugins.names(kind))
    if first["type"] == "extra_forbidden":
        allowed = _fields_at(model, loc[:-1])
        return f"{key}: unknown key; allowed: {_listed(allowed)}{_close(str(loc[-1]), allowed)}"
    if first["type"] == "missing":
        return f"{key}: missing; every key of the file must be there"
    return f"{key}: {_reason(*(e for e in errors if _in_file(model, e['loc']) == loc))}"


def _in_file(model: type[BaseModel], loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """Without the branches of a union, which pydantic names among the keys."""
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


def _reason(*errors: Any) -> str:
    """Of one error, or of those that the branches of a union have."""
    messages = dict.fromkeys(error["msg"][0].lower() + error["msg"][1:] for error in errors)
    return f"{shown(errors[0]['input'])} is not allowed: {', or '.join(messages)}"


def _dotted(loc: Iterable[Any]) -> str:
    """A key of the file on one line, whatever characters stand in it."""
    text = ".".join(map(str, loc))
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= 120 else text[:117] + "..."


def _not_allowed(key: str, value: str, allowed: tuple[str, ...]) -> str:
    return f"{key}: {shown(value)} is unknown; allowed: {_listed(allowed)}{_close(value, allowed)}"


def _listed(values: Any) -> str:
    return ", ".join(values)


def _close(value: str, allowed: Any) -> str:
    match = difflib.get_close_matches(value, list(allowed), n=1)
    return f". Did you mean {match[0]!r}?" if match else ""
