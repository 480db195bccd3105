"""The real params.yaml with one value changed, and the line that a mistake ends in."""

import copy
import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from thawline.errors import UserError
from thawline.params import params_file

Write = Callable[[str | bytes], Path]
MISSING = object()


@pytest.fixture(scope="module")
def real() -> str:
    return (Path(__file__).resolve().parents[3] / "params.yaml").read_text(encoding="utf-8")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def write_file(content: str | bytes) -> Path:
        data = content.encode() if isinstance(content, str) else content
        params_file.FILE.write_bytes(data)
        return params_file.FILE

    return write_file


def changed(real: str, key: str, value: Any) -> str:
    """The real file with one dotted key set, or removed."""
    raw = copy.deepcopy(parsed(real))
    *sections, last = key.split(".")
    inner = raw
    for section in sections:
        inner = inner[section]
    if value is MISSING:
        del inner[last]
    else:
        inner[last] = value
    out = io.StringIO()
    YAML(typ="safe", pure=True).dump(raw, out)
    return out.getvalue()


@functools.cache
def parsed(real: str) -> Any:
    return YAML(typ="safe", pure=True).load(real)


def message(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        params_file.load(path)
    text = str(caught.value)
    assert text.isprintable(), f"not one printable line: {text!r}"
    assert text.startswith("params.yaml: ")
    assert len(text) < 500
    return text
