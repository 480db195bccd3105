"""Rules of the code base that no linter knows."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.repo.code_graph import ROOT

MAX_LINES = {"thawline": 300, "stages": 300, "tests": 400}
VAGUE = {"utils", "util", "helpers", "helper", "manager", "managers", "misc", "common"}
ONLY_IMPORTERS = {
    "mlflow": re.compile(r"thawline/(tracking|registry)/.*"),
    "albumentations": re.compile(r"thawline/augment/_transforms\.py"),
    "prefect": re.compile(r"thawline/flows/.*"),
    "dvc": re.compile(r"thawline/dvc/run_cache\.py"),
}
"""Package to the files of the product that may import it. dvc is run as a program, but for what
it has no command for: an entry of its run cache under params that are no longer there."""
PARAMS_READER = "thawline/params/params_file.py"
HERE = re.compile(r"(?<![\w.])/(?:(?:home|Users)/(?!u\b)|(?:root|work|workspace|mnt|srv)/)\w")
REGISTRY = re.compile(r"(?i)\bhttps?://[\w.-]*(?:artifactory|nexus|jfrog|devpi|registry|mirror)")
INDEX = re.compile(r"(?im)^\s*(?:--(?:extra-)?index-url|--find-links|--trusted-host|index-url)\b")


def tracked() -> list[str]:
    """Files that are in git or will be, text only."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    files = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    return sorted(name for name in files if b"\0" not in (ROOT / name).read_bytes()[:8192])


TEXTS = tracked()
PYTHON = [file for file in TEXTS if file.endswith(".py")]
PRODUCT = [file for file in PYTHON if file.split("/")[0] in ("thawline", "stages")]


def text(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def test_there_is_something_to_look_at() -> None:
    assert len(PRODUCT) > 50
    assert PARAMS_READER in PRODUCT


def test_no_file_is_too_long() -> None:
    lengths = {file: text(file).count("\n") for file in PYTHON}
    assert {f: n for f, n in lengths.items() if n > MAX_LINES.get(f.split("/")[0], 300)} == {}


def test_no_module_has_a_vague_name() -> None:
    named = {part.removesuffix(".py") for file in PRODUCT for part in file.split("/")}
    assert named & VAGUE == set()


@pytest.mark.parametrize("package", ONLY_IMPORTERS)
def test_a_package_is_imported_in_its_place_only(package: str) -> None:
    importers = {file for file in PRODUCT if package in _foreign_imports(file)}
    assert {file for file in importers if not ONLY_IMPORTERS[package].fullmatch(file)} == set()


def _foreign_imports(file: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text(file))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_params_have_one_reader() -> None:
    """Elsewhere the name of the file stands in messages and comments, and as no path."""
    pattern = re.compile(r"""(?:Path|open|read_text|load)\(\s*["']params\.yaml["']""")
    readers = {file for file in PRODUCT if pattern.search(text(file))}
    assert readers == {PARAMS_READER}


def test_nothing_tells_where_it_was_made() -> None:
    """No path of a machine, no address of a package index."""
    found = {
        (file, match.group())
        for file in TEXTS
        for pattern in (HERE, REGISTRY, INDEX)
        if (match := pattern.search(text(file)))
        and file != Path(__file__).relative_to(ROOT).as_posix()
    }
    assert found == set()
