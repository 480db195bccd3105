"""Which of the project's modules a module is made of, read from its import statements."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("thawline", "stages")


def module_file(dotted: str) -> str | None:
    """Path of a project module from the root; None for a name inside one or a foreign module."""
    if dotted.split(".")[0] not in PACKAGES:
        return None
    base = ROOT.joinpath(*dotted.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate.relative_to(ROOT).as_posix()
    return None


@cache
def imports(file: str) -> frozenset[str]:
    """Project files that a file imports anywhere in it, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= {path for name in names if (path := module_file(name))}
    return frozenset(found)


def closure(file: str, without: frozenset[str] = frozenset()) -> frozenset[str]:
    """A file and all that it imports, directly or not; `without` is neither named nor followed."""
    seen: set[str] = set()
    waiting = [file]
    while waiting:
        current = waiting.pop()
        if current in seen or current in without:
            continue
        seen.add(current)
        waiting += imports(current)
    return frozenset(seen)
