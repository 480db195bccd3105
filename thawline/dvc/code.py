"""Say what code makes a result: for DVC's stages, what is kept between runs, studies and resuming.

The stage `code` writes code.yaml: per stage a hash of the modules that it is made of, per plugin of
what that is made of. The other stages name the keys that concern them among their params, so an
edit runs again exactly what it is part of: docs/decisions/0027-code.md. Imports nothing heavy.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from thawline.dvc import graph
from thawline.dvc.graph import ROOT, ImportGraph
from thawline.errors import UserError
from thawline.params import plugins

STAGE = "code"
FILE = Path("code.yaml")
LIBRARIES = "thawline/dvc/libraries.txt"
"""Versions of the libraries, which make the numbers beside our own code."""
READS = {"thawline/report/page.py": "thawline/report/templates/"}
"""Module -> the folder of files that it reads, which no import tells."""
STAGES, PLUGINS = "stages", "plugins"
"""Parts of the file."""
NEUTRAL = frozenset(
    {
        # Check what goes in; they hold no default and change no value.
        "thawline/params/params_file.py",
        "thawline/params/recipe_rules.py",
        "thawline/params/plugin_rules.py",
        "thawline/params/validation_errors.py",
        "thawline/params/plugins.py",
        "thawline/errors.py",
        # Around the work: locks, where files lie, what a person or MLflow sees.
        "thawline/pipeline/stage_main.py",
        "thawline/runtime/locks.py",
        "thawline/runtime/listening.py",
        "thawline/dvc/cache.py",
        "thawline/dvc/input_check.py",
        "thawline/runtime/workspace.py",
        "thawline/runtime/progress.py",
        "thawline/dvc/libraries.py",
        "thawline/pipeline/run.py",
        "thawline/runtime/relay.py",
        "thawline/report/summary.py",
        # Where freed memory goes.
        "thawline/models/malloc.py",
    }
)
"""Cannot change a hashed output; tests/pipeline compares the hashes without tracking and forks."""
NEUTRAL_FOLDERS = tuple(
    f"thawline/{name}/"
    for name in ("tracking", "registry", "pipeline", "project", "cli", "params/schema", "dvc")
)
_SAYS = """\
# Written by the stage `code`: hashes of the modules that each stage and each plugin is made of.
# The stages name those that concern them; an edit of code runs again what it is part of.
"""
Hashes = dict[str, Any]
"""`stages`: name -> hash; `plugins`: nested by the parts of the key that chooses, then by name."""


class Code:
    """The modules of a folder as they are now."""

    def __init__(self, root: Path = ROOT) -> None:
        folders = [root / folder for folder in READS.values()]
        read = [file.relative_to(root).as_posix() for f in folders for file in f.glob("*.*")]
        self.graph: ImportGraph = graph.read(root, ignored=is_neutral, extra=[LIBRARIES, *read])

    @property
    def stages(self) -> list[str]:
        """List the names of the scripts in stages/."""
        paths = (Path(file) for file in self.graph.hashes)
        return sorted(p.stem for p in paths if p.parent == Path("stages") and p.stem[0] != "_")

    def plugins(self, kind: plugins.PluginKind) -> list[str]:
        """List the plugins of a kind."""
        folder = Path("thawline", kind.folder)
        paths = (Path(file) for file in self.graph.hashes)
        return sorted(p.stem for p in paths if p.parent == folder and p.stem[0] != "_")

    def modules(self, key: str) -> frozenset[str]:
        """Collect the files behind a key.

        Args:
            key: of code.yaml, e.g. `stages.ingest` or `plugins.model.family.resnet`; without a
                name, e.g. `plugins.model.family`, all of a kind; or a module, `thawline.errors`.
        """
        part, _, name = key.partition(".")
        if part == STAGES:
            return self._closure(f"stages/{name}.py", LIBRARIES)
        if part != PLUGINS:
            return self._closure(f"{key.replace('.', '/')}.py")
        for kind in plugins.KINDS:
            if name == kind.key:
                files = [f"thawline/{kind.folder}/{one}.py" for one in self.plugins(kind)]
                return self._closure(*files)
            if name.startswith(f"{kind.key}."):
                plugin = name.removeprefix(f"{kind.key}.")
                return self._closure(f"thawline/{kind.folder}/{plugin}.py")
        return frozenset()

    def _closure(self, *files: str) -> frozenset[str]:
        found = self.graph.closure(*files)
        folders = tuple(folder for module, folder in READS.items() if module in found)
        return found | {file for file in self.graph.hashes if folders and file.startswith(folders)}

    def digest(self, *keys: str) -> str:
        """Hash what is behind the keys, 16 hexadecimal digits."""
        return self.graph.digest(frozenset().union(*map(self.modules, keys)))

    def hashes(self, *keys: str) -> dict[str, str]:
        """Give path -> SHA-256 of the files behind the keys."""
        files = frozenset[str]().union(*map(self.modules, keys))
        return {file: self.graph.hashes[file] for file in sorted(files)}

    def record(self) -> Hashes:
        """Say of every stage and plugin what code.yaml says."""
        found: Hashes = {}
        for kind in plugins.KINDS:
            place = found
            for part in kind.key.split("."):
                place = place.setdefault(part, {})
            for name in self.plugins(kind):
                place[name] = self.digest(f"{PLUGINS}.{kind.key}.{name}")
        return {STAGES: {n: self.digest(f"{STAGES}.{n}") for n in self.stages}, PLUGINS: found}


def is_neutral(file: str) -> bool:
    """Tell whether a module cannot change a result."""
    return file != LIBRARIES and (file in NEUTRAL or file.startswith(NEUTRAL_FOLDERS))


@cache
def running() -> Code:
    """Give the code that this process runs, read once."""
    return Code()


def of(root: Path) -> Hashes:
    """Say what makes results in a working tree: its own code, else what its code.yaml names.

    Raises:
        UserError: it has neither.
    """
    return Code(root).record() if _holds_code(root) else read(root / FILE)


def _holds_code(root: Path) -> bool:
    """Tell a checkout, whose stage `code` writes code.yaml, from a project of one's own."""
    return all((root / package).is_dir() for package in graph.PACKAGES)


def check() -> None:
    """Refuse to run on other code than a project of one's own describes.

    Its code.yaml is written by `thawline init`. In a checkout the stage `code` writes it first.

    Raises:
        UserError: the code of a stage or a plugin differs.
    """
    if not FILE.is_file() or _holds_code(Path()):
        return
    recorded, now = read(FILE), running().record()
    if any(recorded.get(part) != now[part] for part in (STAGES, PLUGINS)):
        raise UserError(
            f"{FILE}: describes the code of thawline {recorded.get('version')}, and that of the "
            "one installed differs; `thawline init --upgrade` takes it over"
        )


def read(path: Path) -> Hashes:
    """Read a code.yaml.

    Raises:
        UserError: it is not what was written.
    """
    from thawline.runtime import safe_yaml

    recorded = safe_yaml.load(path)
    if not isinstance(recorded, dict) or not isinstance(recorded.get(STAGES), dict):
        raise UserError(
            f"{path}: is not what `thawline init` or the stage `code` wrote; "
            f"`git checkout {path.name}`"
        )
    return recorded


def value(record: Mapping[str, Any], key: str) -> Any:
    """Look a dotted key up; None where there is none."""
    found: Any = record
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def text(record: Mapping[str, Any], says: str = _SAYS) -> str:
    """Write the file's text; texts are quoted, since a hash may look like a number."""
    return says + "".join(f"{line}\n" for line in _lines(record, ""))


def _lines(record: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, held in record.items():
        if isinstance(held, Mapping):
            yield f"{indent}{key}:"
            yield from _lines(held, f"{indent}  ")
        else:
            yield f"{indent}{key}: {json.dumps(held)}"


if __name__ == "__main__":
    FILE.write_text(text(Code().record()), encoding="utf-8")
