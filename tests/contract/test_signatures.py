"""Options can be read from the source text, and agree with what the interpreter sees."""

import subprocess
import sys
from typing import Any

import pytest

from tests.contract.plugin import cases, options
from thawline.params import plugins
from thawline.params.plugins import PluginKind

EVERY = [(kind, name) for kind in plugins.KINDS for name in plugins.names(kind)]


def test_every_kind_has_plugins() -> None:
    assert {kind.key for kind, _ in EVERY} == {kind.key for kind in plugins.KINDS}


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_options_read_from_the_text_are_those_of_the_function(kind: PluginKind, name: str) -> None:
    found = options(kind, name)
    assert plugins.option_names(kind, name) == tuple(found)
    model = plugins._options_model(kind, name)
    for key, parameter in found.items():
        assert model.model_fields[key].default == parameter.default


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_option_is_typed_and_its_default_allowed(kind: PluginKind, name: str) -> None:
    defaults = {key: parameter.default for key, parameter in options(kind, name).items()}
    assert plugins.option_errors(kind, name, defaults) is None
    for key in defaults:
        assert plugins.option_errors(kind, name, {key: object()}) is not None
    assert plugins.option_errors(kind, name, {"no_such_option": 1}) is not None


@pytest.mark.parametrize(
    ("kind", "name", "chosen"),
    [
        (kind, *case)
        for kind in plugins.KINDS
        if kind != plugins.FAMILY
        for case in cases(kind)
        if case[1]
    ],
)
def test_limits_are_allowed(kind: PluginKind, name: str, chosen: dict[str, Any]) -> None:
    assert plugins.option_errors(kind, name, chosen) is None


@pytest.mark.parametrize("kind", plugins.KINDS)
@pytest.mark.parametrize("name", ["../params", "__init__", "os", "thawline.params.params_file", ""])
def test_nothing_but_plugins_is_loaded(kind: PluginKind, name: str) -> None:
    with pytest.raises(ValueError, match="is not one of"):
        plugins.load(kind, name)


def test_reading_all_options_imports_nothing_heavy() -> None:
    code = """
import sys
from thawline.params import plugins
for kind in plugins.KINDS:
    for name in plugins.names(kind):
        plugins.option_errors(kind, name, {})
        plugins.constant(kind, name, "NAMES")
heavy = {"torch", "timm", "mlflow", "albumentations", "sklearn", "matplotlib", "imblearn", "cv2"}
print(sorted(heavy & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
