"""`code.yaml`: the code that a project's results are made by, as a file that DVC watches.

In a project of one's own the modules lie in the installed package, where a path would differ from
machine to machine. So each stage depends on keys of this file, which hold hashes of its modules and
of each plugin, and nothing runs on code that the file does not describe:
docs/decisions/0021-projects.md.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from thawline.dvc import libraries, shipped
from thawline.errors import UserError
from thawline.params import plugins
from thawline.runtime import safe_yaml

FILE = Path("code.yaml")
_CODE = ("thawline/", "stages/")
_TEMPLATE = re.compile(r".*/\$\{([\w.]+)\}\.py")
_DIGITS = 16
Record = dict[str, Any]
"""version, package (a hash of every module), stages (name -> hash), plugins (by their keys)."""


def installed() -> Record:
    """What the file would say of the installed package."""
    fixed = {name: modules(name) for name in graph()["stages"]}
    return {
        "version": shipped.version(),
        "package": _package(),
        "stages": {name: _hash(files) for name, files in fixed.items()},
        "plugins": _plugins(),
    }


def check() -> None:
    """Refuse to run on other code than the file describes; without the file, all is well.

    Raises:
        UserError: the code of a stage or a plugin differs.
    """
    if not FILE.is_file():
        return
    recorded = read(FILE)
    if recorded.get("package") == _package():
        return
    now = installed()
    if any(recorded.get(part) != now[part] for part in ("stages", "plugins")):
        raise UserError(
            f"{FILE}: describes the code of thawline {recorded.get('version')}, and that of the "
            f"installed {now['version']} differs; `thawline init --upgrade` takes it over"
        )


def read(path: Path) -> Record:
    """What a project's file says.

    Raises:
        UserError: it is not what was written.
    """
    recorded = safe_yaml.load(path)
    if not isinstance(recorded, dict) or not isinstance(recorded.get("stages"), dict):
        raise UserError(f"{path}: is not what `thawline init` wrote; `git checkout {path.name}`")
    return recorded


def modules(stage: str) -> list[str]:
    """Paths in the package of what a stage is always made of."""
    return [dep for dep in code_deps(graph()["stages"][stage]) if not chosen_by(dep)]


def code_deps(stage: Mapping[str, Any]) -> list[str]:
    """Those of a stage's dependencies that are modules, plugins by their template."""
    return [dep for dep in stage["deps"] if dep.startswith(_CODE)]


def chosen_by(dep: str) -> str | None:
    """The key that chooses the plugin which a templated dependency stands for."""
    match = _TEMPLATE.fullmatch(dep)
    return match[1] if match else None


@cache
def graph() -> Mapping[str, Any]:
    """The package's own dvc.yaml."""
    text = (shipped.folder() / "dvc.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = YAML(typ="safe").load(text)
    return found


def _plugins() -> Record:
    """Nested by the parts of the key that chooses, then by the plugin's name."""
    found: Record = {}
    for kind in plugins.KINDS:
        place = found
        for part in kind.key.split("."):
            place = place.setdefault(part, {})
        for name in plugins.names(kind):
            place[name] = _hash([f"thawline/{kind.folder}/{name}.py"])
    return found


def _package() -> str:
    root = shipped.PACKAGE.parent
    files = [path for part in _CODE for path in (root / part).rglob("*.py")]
    files.append(libraries.FILE)
    return _hash(path.relative_to(root).as_posix() for path in files)


def _hash(files: Iterable[str]) -> str:
    """Of paths and contents, in any order."""
    found = hashlib.sha256()
    for name in sorted(files):
        content = (shipped.PACKAGE.parent / name).read_bytes()
        found.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return found.hexdigest()[:_DIGITS]
