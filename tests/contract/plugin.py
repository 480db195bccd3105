"""Plugins as test cases: every one there is, with every option at its limits."""

import inspect
import random
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import annotated_types as limits
import numpy as np
import torch
from pydantic.fields import FieldInfo

from thawline.params import plugins
from thawline.params.plugins import PluginKind

Case = tuple[str, dict[str, Any]]


def function(kind: PluginKind, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(plugins.load(kind, name), kind.function)
    return found


def options(kind: PluginKind, name: str) -> dict[str, inspect.Parameter]:
    """Keyword-only arguments with a default, as the running interpreter sees them."""
    parameters = inspect.signature(function(kind, name)).parameters
    return {
        key: parameter
        for key, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty
    }


def cases(kind: PluginKind) -> list[Case]:
    """Each plugin with its defaults, then with one option at a time at each of its limits."""
    return [case for name in plugins.names(kind) for case in _cases(kind, name)]


def _cases(kind: PluginKind, name: str) -> Iterator[Case]:
    yield name, {}
    hints = typing.get_type_hints(function(kind, name), include_extras=True)
    for key in options(kind, name):
        for value in _extremes(hints[key]):
            yield name, {key: value}


def _extremes(hint: Any) -> list[Any]:
    if hint is bool:
        return [False, True]
    if typing.get_origin(hint) is typing.Literal:
        return list(typing.get_args(hint))
    fields = [m for m in getattr(hint, "__metadata__", ()) if isinstance(m, FieldInfo)]
    kind = typing.get_args(hint)[0] if fields else hint
    return [value for field in fields for limit in field.metadata for value in _at(limit, kind)]


def _at(limit: object, kind: type) -> list[Any]:
    step = 1 if kind is int else 1e-3
    match limit:
        case limits.Ge(ge=value) | limits.Le(le=value):
            return [kind(value)]
        case limits.Gt(gt=value):
            return [kind(value + step)]
        case limits.Lt(lt=value):
            return [kind(value - step)]
    return []


@contextmanager
def untouched_randomness() -> Iterator[None]:
    """Nothing inside draws from, or seeds, a global generator."""
    before = _global_states()
    yield
    assert _global_states() == before, "a global random state was touched"


def _global_states() -> tuple[object, ...]:
    kind, keys, *rest = np.random.get_state()
    return (
        random.getstate(),
        kind,
        np.asarray(keys).tobytes(),
        rest,
        torch.get_rng_state().numpy().tobytes(),
    )
