"""Derive a project's dvc.yaml from the package's, with keys of code.yaml for modules."""

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from thawline.dvc import code, shipped

_SAYS = """\
The graph, as `thawline init` wrote it; `thawline init --upgrade` renews it, unless it was edited.
Instead of modules of the package, stages depend on their hashes in code.yaml.
"""
_WIDTH = 4096


def text() -> str:
    """Format dvc.yaml, with comments and order as in the package's."""
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load((shipped.folder() / "dvc.yaml").read_text(encoding="utf-8"))
    for name, stage in content["stages"].items():
        _depend_on_hashes(name, stage)
    content.yaml_set_start_comment(_SAYS)
    out = io.StringIO()
    yaml.dump(content, out)
    return out.getvalue()


def _depend_on_hashes(name: str, stage: Any) -> None:
    deps = code.code_deps(stage)
    keys = [f"stages.{name}"]
    keys += [f"plugins.{key}.${{{key}}}" for key in map(code.chosen_by, deps) if key]
    for dep in deps:
        stage["deps"].remove(dep)
    # In front: comments of ruamel's hang on the entry before them.
    stage["params"].insert(0, CommentedMap({code.FILE.as_posix(): CommentedSeq(keys)}))
