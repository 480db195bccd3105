"""Write proposals into params.yaml: the values change, comments and order stay."""

import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter

from thawline.errors import UserError
from thawline.params import params_file
from thawline.params.proposal import Proposal, current
from thawline.params.schema.whole import Params
from thawline.runtime.safe_yaml import format_value

_WIDTH = 4096
"""Width of a line, longer than any: ruamel must not break one."""


def write(
    proposals: Sequence[Proposal], path: Path = params_file.FILE, *, before: Params | None = None
) -> None:
    """Set the values of proposals, all or none of them; see `set_values`.

    `before` are the params that the proposals were made for, which may have taken minutes.

    Raises:
        UserError: likewise; or a value was edited since then.
    """
    if before is not None:
        now = params_file.load(path)
        for key in [proposal.key for proposal in proposals]:
            was, found = current(before, key), current(now, key)
            if was != found:
                raise UserError(
                    f"{path}: {key} was edited meanwhile, from {format_value(was)} to "
                    f"{format_value(found)}; nothing was written; run it again"
                )
    set_values({proposal.key: proposal.value for proposal in proposals}, path)


def set_values(
    values: Mapping[str, Any], path: Path = params_file.FILE, *, source: Path | None = None
) -> None:
    """Set values by their dotted keys, all or none of them; the file is replaced at once.

    Other values, comments and order are taken from `source`; by default from the file itself.

    Raises:
        UserError: the file cannot be written, or would not be valid with these values.
    """
    yaml = round_trip()
    content = yaml.load((source or path).read_text(encoding="utf-8"))
    for dotted, value in values.items():
        *sections, key = dotted.split(".")
        reduce(getitem, sections, content)[key] = _on_one_line(value)
    text = io.StringIO()
    yaml.dump(content, text)
    try:
        _replace(path, text.getvalue())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None


class _Representer(RoundTripRepresenter):  # type: ignore[misc]
    """Representer that writes null as the file does, not as nothing."""


def _null(representer: Any, value: None) -> ScalarNode:  # noqa: ARG001
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _null)


def round_trip() -> YAML:
    """Make a reader and writer that keeps comments, quotes and lines."""
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    return yaml


def _on_one_line(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    flow = CommentedMap(value)
    flow.fa.set_flow_style()
    return flow


def _replace(path: Path, text: str) -> None:
    """Replace the file by one beside it, which is checked before."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        _check(beside, path)
        beside.chmod(path.stat().st_mode)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _check(beside: Path, path: Path) -> None:
    try:
        params_file.load(beside)
    except UserError as error:
        raise UserError(str(error).replace(str(beside), str(path))) from None
