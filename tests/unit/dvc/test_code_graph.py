"""Imports are read right, whatever is in the file that they are kept in."""

import json
import os
from pathlib import Path

import pytest

from thawline.dvc import graph

FILES = {
    "thawline/__init__.py": '"""Doc."""\n',
    "thawline/a.py": "import thawline.b\ndef f():\n    from thawline import c\n",
    "thawline/b.py": "from thawline.d import name\nimport json\n",
    "thawline/c.py": "from thawline.missing import name\nfrom thawline.a import f\n",
    "thawline/d.py": "name = 1\n",
    "thawline/broken.py": "def f(:\n",
    "stages/one.py": "from thawline import a\n",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("THAWLINE_PROJECT", raising=False)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def read(root: Path) -> graph.ImportGraph:
    return graph.read(root, ignored=lambda file: file == "thawline/ignored.py")


def modules(*names: str) -> set[str]:
    return {f"thawline/{name}.py" for name in names}


def test_all_that_is_imported_is_found_and_circles_end(root: Path) -> None:
    assert read(root).closure("stages/one.py") == {"stages/one.py", *modules("a", "b", "c", "d")}
    assert read(root).closure("thawline/b.py") == modules("b", "d")
    assert read(root).closure("thawline/broken.py") == modules("broken")
    assert read(root).closure("thawline/none.py") == set()


def test_what_is_ignored_is_not_followed(root: Path) -> None:
    (root / "thawline/ignored.py").write_text("from thawline import b\n")
    (root / "thawline/d.py").write_text("from thawline import ignored\n")
    assert read(root).closure("thawline/d.py") == modules("d")


def test_a_package_counts_where_it_holds_code(root: Path) -> None:
    (root / "thawline/d.py").write_text("import thawline\n")
    assert read(root).closure("thawline/d.py") == modules("d")
    (root / "thawline/__init__.py").write_text("VALUE = 1\n")
    assert read(root).closure("thawline/d.py") == modules("d", "__init__")


def test_a_new_file_is_found_by_those_that_name_it_already(root: Path) -> None:
    before = read(root).closure("thawline/c.py")
    (root / "thawline/missing.py").write_text("name = 1\n")
    assert read(root).closure("thawline/c.py") == before | modules("missing")


def test_an_edit_changes_the_digest_also_with_the_size_and_time_of_before(root: Path) -> None:
    path, before = root / "thawline/d.py", read(root)
    stat = path.stat()
    path.write_text("name = 2\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    files = before.closure("thawline/b.py")
    assert read(root).digest(files) != before.digest(files)
    path.write_text("name = 1\n")
    assert read(root).digest(files) == before.digest(files)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"imports": 3}', '{"imports": {"a": [1]}}', "\x00", '{"imports": '],
)  # fmt: skip
def test_a_damaged_file_of_imports_is_read_anew(root: Path, text: str) -> None:
    before = read(root).closure("stages/one.py")
    (root / ".thawline/imports.json").write_text(text)
    assert read(root).closure("stages/one.py") == before
    assert json.loads((root / ".thawline/imports.json").read_text())["imports"]


def test_what_another_reader_kept_does_not_count(root: Path) -> None:
    before, file = read(root).closure("stages/one.py"), root / ".thawline/imports.json"
    kept = json.loads(file.read_text())
    empty = {name: [] for name in kept["imports"]}
    file.write_text(json.dumps({"reader": kept["reader"], "imports": empty}))
    assert read(root).closure("stages/one.py") == {"stages/one.py"}, "it is used"
    file.write_text(json.dumps({"reader": "another", "imports": empty}))
    assert read(root).closure("stages/one.py") == before


def test_a_folder_that_cannot_be_written_costs_time_only(root: Path) -> None:
    (root / ".thawline").write_text("a file")
    assert read(root).closure("thawline/b.py") == modules("b", "d")


def test_outside_of_a_project_nothing_is_left(root: Path) -> None:
    (root / ".dvc").rmdir()
    assert read(root).closure("thawline/b.py") == modules("b", "d")
    assert not (root / ".thawline").exists()


def test_a_file_that_is_taken_away_meanwhile_is_none(root: Path) -> None:
    before = read(root).closure("stages/one.py")
    (root / "thawline/.#a.py").symlink_to("somebody@somewhere")
    assert read(root).closure("stages/one.py") == before
