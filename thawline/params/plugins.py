"""Find plugins, modules chosen by name, and their options, a function's keyword arguments.

Names and options are read from the source text, so that checking params.yaml imports neither
torch nor albumentations (seconds per stage). Modules whose name starts with `_` are no plugins.
"""

import ast
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal

if TYPE_CHECKING:  # the kinds and names of plugins are asked for by who needs no pydantic
    from pydantic import ValidationError

_PACKAGE = Path(__file__).parents[1]
_ANNOTATION_NAMES = {
    "Annotated": Annotated,
    "Literal": Literal,
    "bool": bool,
    "dict": dict,
    "float": float,
    "int": int,
    "list": list,
    "str": str,
    "tuple": tuple,
}


@dataclass(frozen=True, kw_only=True)
class PluginKind:
    """Kind of plugin: the key that chooses, the folder, the function with the options."""

    key: str
    folder: str
    function: str

    @property
    def package(self) -> str:
        """Package of the modules, with dots."""
        return "thawline." + self.folder.replace("/", ".")

    def path(self, name: str) -> Path:
        """Return the file of a plugin."""
        return _PACKAGE / self.folder / f"{name}.py"


SOURCE = PluginKind(key="ingest.source", folder="ingest/sources", function="read")
STRATEGY = PluginKind(key="rebalance.strategy", folder="rebalance", function="plan")
POLICY = PluginKind(key="augment.policy", folder="augment", function="policy")
FAMILY = PluginKind(key="model.family", folder="models/architectures", function="build")
CONVOLUTION = PluginKind(
    key="model.design.convolution", folder="models/convolutions", function="replace"
)
CRITERION = PluginKind(
    key="compress.prune.method", folder="compress/pruning", function="importance"
)
KINDS = (SOURCE, STRATEGY, POLICY, FAMILY, CONVOLUTION, CRITERION)


def names(kind: PluginKind) -> tuple[str, ...]:
    """List the plugins of a kind, sorted."""
    files = (_PACKAGE / kind.folder).glob("[!_]*.py")
    return tuple(sorted(file.stem for file in files))


def load(kind: PluginKind, name: str) -> ModuleType:
    """Import a plugin. The name must come from validated params.

    Raises:
        ValueError: there is no such plugin.
    """
    if name not in names(kind):
        raise ValueError(f"{kind.key}: {name!r} is not one of {', '.join(names(kind))}")
    return importlib.import_module(f"{kind.package}.{name}")


def option_errors(
    kind: PluginKind, name: str, options: Mapping[str, Any]
) -> "ValidationError | None":
    """Check options of a plugin; return pydantic's error, None where they are fine."""
    from pydantic import ValidationError

    try:
        _options_model(kind, name).model_validate(dict(options))
    except ValidationError as error:
        return error
    return None


def option_names(kind: PluginKind, name: str) -> tuple[str, ...]:
    """List the options of a plugin: its keyword-only arguments with a default."""
    return tuple(arg.arg for arg, _ in _keyword_options(kind, name))


def input_names(kind: PluginKind, name: str) -> tuple[str, ...]:
    """List the keyword-only arguments without a default, which the pipeline hands over."""
    return tuple(arg.arg for arg, default in _keywords(kind, name) if default is None)


def constant(kind: PluginKind, name: str, variable: str) -> Any:
    """Read a literal module-level constant of a plugin without import; None if absent."""
    for node in _tree(kind, name).body:
        if isinstance(node, ast.Assign):
            targets = [t.id for t in node.targets if isinstance(t, ast.Name)]
            if variable in targets:
                return ast.literal_eval(node.value)
    return None


def _tree(kind: PluginKind, name: str) -> ast.Module:
    return ast.parse(kind.path(name).read_text(encoding="utf-8"))


def _keyword_options(kind: PluginKind, name: str) -> list[tuple[ast.arg, ast.expr]]:
    """List keyword-only arguments with a default; those without come from the pipeline."""
    return [(arg, default) for arg, default in _keywords(kind, name) if default is not None]


def _keywords(kind: PluginKind, name: str) -> list[tuple[ast.arg, ast.expr | None]]:
    for node in _tree(kind, name).body:
        if isinstance(node, ast.FunctionDef) and node.name == kind.function:
            return list(zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True))
    raise TypeError(f"{kind.path(name)} has no function {kind.function!r}")


def _options_model(kind: PluginKind, name: str) -> Any:
    from pydantic import ConfigDict, Field, create_model

    known = _ANNOTATION_NAMES | {"Field": Field}
    fields: dict[str, Any] = {}
    for arg, default in _keyword_options(kind, name):
        if arg.annotation is None:
            raise TypeError(f"{kind.path(name)}: option {arg.arg!r} has no type")
        annotation = eval(  # noqa: S307 - of a file of this package
            ast.unparse(arg.annotation), {"__builtins__": {}}, dict(known)
        )
        fields[arg.arg] = (annotation, ast.literal_eval(default))
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return create_model(f"{name}_options", __config__=config, **fields)
