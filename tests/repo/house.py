"""Measure the house: `python -m tests.repo.house` prints the numbers of test_house.py.

A room is a package of thawline's, or a module on its root; `stages` is one too. Sub-packages belong
to the room above them.
"""

import ast
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache

from tests.repo.code_graph import ROOT
from thawline.dvc import graph

Edges = Mapping[str, frozenset[str]]


def files() -> list[str]:
    """Paths of the product's modules from the root, `__init__` aside."""
    found = [path for part in ("thawline", "stages") for path in (ROOT / part).rglob("*.py")]
    names = [path.relative_to(ROOT).as_posix() for path in found if path.name != "__init__.py"]
    return sorted(names)


def room(file: str) -> str:
    parts = file.split("/")
    return parts[1].removesuffix(".py") if parts[0] == "thawline" else parts[0]


@cache
def edges() -> Edges:
    """Room -> the other rooms that it imports, anywhere in its modules."""
    found: dict[str, set[str]] = defaultdict(set)
    read = graph.read(ROOT, ignored=lambda _: False)
    for file in files():
        deps = (dep for dep in read.imports(file) if not dep.endswith("__init__.py"))
        found[room(file)] |= set(map(room, deps))
    return {name: frozenset(deps - {name}) for name, deps in found.items()}


def root_modules() -> list[str]:
    return [file for file in files() if file.startswith("thawline/") and file.count("/") == 1]


def mutual(graph: Edges) -> list[tuple[str, str]]:
    """Pairs of rooms that import each other."""
    return sorted((a, b) for a, deps in graph.items() for b in deps if a < b and a in graph[b])


def depth(graph: Edges) -> int:
    """Rooms on the longest way down.

    Raises:
        RecursionError: rooms import each other in a circle.
    """

    @cache
    def below(name: str) -> int:
        return 1 + max(map(below, graph[name]), default=0)

    return max(map(below, graph))


def arrows(graph: Edges) -> int:
    return sum(map(len, graph.values()))


def classes() -> dict[str, list[str]]:
    """Name of a class -> the modules that define one, where there are several."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in files():
        for node in ast.walk(_tree(file)):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(file)
    return {name: where for name, where in found.items() if len(where) > 1}


def function_lines() -> list[int]:
    """Lines of each function without its decorators and docstring, ascending."""
    return sorted(
        _length(node)
        for file in files()
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def lines(names: Iterable[str]) -> int:
    return sum((ROOT / name).read_text(encoding="utf-8").count("\n") for name in names)


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    total = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None and first.end_lineno is not None:
        total -= first.end_lineno - first.lineno + 1
    return total


def main() -> None:
    graph = edges()
    print(f"rooms {len(graph)}")
    print(f"modules on the root {len(root_modules())}: {', '.join(root_modules())}")
    print(f"pairs that import each other {len(mutual(graph))}: {mutual(graph)}")
    print(f"layers {depth(graph)}, arrows {arrows(graph)}")
    print(f"class names used twice {len(classes())}: {', '.join(classes())}")
    print(f"lines of dvc.yaml {lines(['dvc.yaml'])}")
    product = [file for file in files() if file.startswith("thawline/")]
    print(f"lines of thawline {lines(product)}, files {len(product)}")
    lengths = function_lines()
    ninth = lengths[int(0.9 * len(lengths))]
    print(f"lines of a function: median {statistics.median(lengths):g}, nine in ten {ninth}")


if __name__ == "__main__":
    main()
