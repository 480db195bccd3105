"""docs/reliability.md names tests that exist."""

import ast
import re
from pathlib import Path

from tests.repo.code_graph import ROOT

TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
_NAME = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NAMED = _NAME.findall(TEXT)


def test_every_row_names_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith("| fault |")]
    assert len(rows) > 50
    assert [row for row in rows if len(_NAME.findall(row)) != 1] == []


def test_the_tests_exist() -> None:
    missing = [f"{file}::{name}" for file, name in NAMED if name not in _functions(ROOT / file)]
    assert missing == []


def _functions(file: Path) -> set[str]:
    if not file.exists():
        return set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
