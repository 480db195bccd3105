"""Every stage's `deps` name the code it is made of: else DVC keeps stale results in silence."""

import ast
from functools import cache

import pytest
from ruamel.yaml import YAML

from tests.repo.code_graph import PACKAGES, ROOT, closure, imports
from thawline.ingest.packing import image_cache
from thawline.params import plugins

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
_NEUTRAL_FOLDERS = tuple(
    f"thawline/{name}/"
    for name in (
        "tracking",
        "dvc",
        "registry",
        "pipeline",
        "project",
        "forkserver",
        "projects",
        "cli",
        "params/schema",
    )
)

LIBRARIES = "thawline/dvc/libraries.txt"
"""What makes the numbers beside our own code."""
IMPORTED = {
    (stage, kind)
    for stage in ("ingest", "rebalance", "augment")
    for kind in (plugins.FAMILY, plugins.CONVOLUTION)
}
"""Not what params choose: the trunk of their features is imported by name, as it is."""


def is_neutral(file: str) -> bool:
    return file in NEUTRAL or file.startswith(_NEUTRAL_FOLDERS) or _is_docstring_only(file)


@cache
def _is_docstring_only(file: str) -> bool:
    if not file.endswith("__init__.py"):
        return False
    body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


@cache
def graph() -> dict[str, dict[str, object]]:
    return YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


STAGES = tuple(graph())


def code_deps(stage: str) -> set[str]:
    return {dep for dep in graph()[stage]["deps"] if dep.split("/")[0] in PACKAGES}


def template(kind: plugins.PluginKind) -> str:
    return f"thawline/{kind.folder}/${{{kind.key}}}.py"


def neutral_files() -> frozenset[str]:
    files = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("thawline/**/*.py")]
    return frozenset(file for file in files if is_neutral(file))


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_imports(stage: str) -> None:
    needed = {LIBRARIES, *closure(f"stages/{stage}.py", neutral_files())}
    for kind in plugins.KINDS:
        if template(kind) in code_deps(stage):
            needed.add(template(kind))
            for name in plugins.names(kind):
                file = f"thawline/{kind.folder}/{name}.py"
                needed |= closure(file, neutral_files()) - {file}
    listed = code_deps(stage)
    assert sorted(needed - listed) == [], f"missing in the deps of {stage}"
    assert sorted(listed - needed) == [], f"in the deps of {stage}, but not imported"


@pytest.mark.parametrize("stage", STAGES)
def test_plugins_are_named_by_template(stage: str) -> None:
    """A stage whose code can load plugins of a kind depends on the chosen one."""
    code = closure(f"stages/{stage}.py", neutral_files())
    for kind in plugins.KINDS:
        constant = {
            plugins.SOURCE: "SOURCE",
            plugins.STRATEGY: "STRATEGY",
            plugins.POLICY: "POLICY",
            plugins.CONVOLUTION: "CONVOLUTION",
            plugins.CRITERION: "CRITERION",
        }
        word = f"plugins.{constant.get(kind, 'FAMILY')}"
        uses = any(
            word in (ROOT / file).read_text(encoding="utf-8")
            for file in code
            if "load(" in (ROOT / file).read_text(encoding="utf-8")
        )
        if (stage, kind) in IMPORTED:
            continue
        assert (template(kind) in code_deps(stage)) == uses, (stage, kind.key)


def test_stages_are_the_scripts() -> None:
    scripts = {path.stem for path in (ROOT / "stages").glob("[!_]*.py")}
    assert scripts == set(STAGES)
    for stage in STAGES:
        assert graph()[stage]["cmd"] == f"python -m stages.{stage}"


def test_packages_hold_no_code_in_init() -> None:
    inits = [p.relative_to(ROOT).as_posix() for p in ROOT.glob("thawline/**/__init__.py")]
    assert [file for file in inits if not _is_docstring_only(file)] == []


def test_arrows_point_one_way() -> None:
    for path in ROOT.glob("thawline/**/*.py"):
        file = path.relative_to(ROOT).as_posix()
        outward = {dep for dep in imports(file) if not dep.startswith("thawline/")}
        assert not outward, f"{file} imports {outward}"


def test_the_cache_of_decoded_images_names_what_decodes() -> None:
    """Else an edit of it would leave old pixels in use."""
    code = {f"thawline/{file}" for file in image_cache.CODE}
    assert code == closure("thawline/ingest/decoding/preprocess.py", neutral_files())
