"""Read which modules of the package a module imports, and what all of them hold.

Parsing the whole tree takes more than a second, so the imports of a file are kept by its content in
the project's scratch folder; without that file, or with a damaged one, they are read anew.
"""

import ast
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from thawline.runtime import safe_json, workspace

ROOT = Path(__file__).resolve().parents[2]
"""Folder of the packages that run: the checkout, or site-packages."""
PACKAGES = ("thawline", "stages")
_INSTALLED = "thawline/stages"
"""Where the wheel has the stages; see pyproject.toml."""
_NAME = "imports.json"
_MOST_KEPT = 4000
_DIGITS = 16
Names = list[str] | None
"""Dotted names that a file imports, of our packages; None where it holds a docstring alone."""


@dataclass(frozen=True)
class ImportGraph:
    """The modules below a folder.

    Attributes:
        hashes: path from the folder, e.g. `thawline/errors.py` -> SHA-256 of the file.
        named: by SHA-256, what a file imports.
        ignored: tell whether a file is left out of every closure, with what it alone imports.
    """

    hashes: Mapping[str, str]
    named: Mapping[str, Names]
    ignored: Callable[[str], bool] = field(default=lambda _: False)

    def closure(self, *files: str) -> frozenset[str]:
        """Collect files and all that they import, directly or not, anywhere in them."""
        seen: set[str] = set()
        waiting = list(files)
        while waiting:
            current = waiting.pop()
            if current not in seen and current in self.hashes and not self._is_left_out(current):
                seen.add(current)
                waiting += self.imports(current)
        return frozenset(seen)

    def imports(self, file: str) -> frozenset[str]:
        """List the files that one imports."""
        named = self.named[self.hashes[file]] or ()
        return frozenset(found for name in named if (found := self._files.get(name)))

    def digest(self, files: Iterable[str]) -> str:
        """Hash paths and contents, in any order; 16 hexadecimal digits."""
        lines = (f"{file} {self.hashes[file]}\n" for file in sorted(files))
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:_DIGITS]

    def _is_left_out(self, file: str) -> bool:
        return self.named[self.hashes[file]] is None or self.ignored(file)

    @cached_property
    def _files(self) -> dict[str, str]:
        return {dotted(file): file for file in self.hashes if file.endswith(".py")}


def dotted(file: str) -> str:
    """Name the module of a path, e.g. `thawline.errors`; that of a package for its `__init__`."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def read(root: Path, *, ignored: Callable[[str], bool], extra: Iterable[str] = ()) -> ImportGraph:
    """Read the modules below a folder as they are now.

    Args:
        root: the folder that holds `thawline` and `stages`.
        ignored: tell whether a file is left out of every closure.
        extra: further files that closures may name, e.g. of data.
    """
    # In an installed package the stages lie inside: a folder beside it is somebody else's.
    packages = PACKAGES[:1] if (root / _INSTALLED).is_dir() else PACKAGES
    paths = [path for package in packages for path in (root / package).rglob("*.py")]
    contents = {}
    for path in [*paths, *(root / name for name in extra)]:
        name = path.relative_to(root).as_posix()
        if name.startswith(f"{_INSTALLED}/"):
            name = name.removeprefix("thawline/")
        with suppress(OSError):  # an editor or git may take it away just now
            contents[name] = path.read_bytes()
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    kept = _kept()
    found = {hashes[name]: data for name, data in contents.items() if hashes[name] not in kept}
    named = {digest: _imports(data) for digest, data in found.items()}
    if named:
        _keep(kept | named)
    return ImportGraph(hashes, kept | named, ignored)


def _imports(source: bytes) -> Names:
    """Nothing of a file that cannot be parsed: it cannot be imported either."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    if all(isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant) for n in tree.body):
        return None
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return sorted(name for name in names if name.split(".")[0] in PACKAGES)


def _path() -> Path:
    return workspace.scratch() / _NAME


@cache
def _reader() -> str:
    """Stand for how imports are read, which what was kept follows from."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def _kept() -> dict[str, Names]:
    try:
        found = safe_json.loads(_path().read_bytes())
        if found["reader"] != _reader():
            return {}
        return {digest: _checked(names) for digest, names in found["imports"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _checked(names: object) -> Names:
    if names is None or (isinstance(names, list) and all(isinstance(n, str) for n in names)):
        return names
    raise ValueError("is no list of names")


def _keep(named: Mapping[str, Names]) -> None:
    """Write the file, in a project: `thawline init` is called from any folder."""
    if not (workspace.root() / ".dvc").is_dir():
        return
    newest = dict(list(named.items())[-_MOST_KEPT:])
    part = _path().with_suffix(f".{os.getpid()}.part")
    with suppress(OSError):  # a full disk costs the next run a second
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"reader": _reader(), "imports": newest}), encoding="utf-8")
        part.replace(_path())
