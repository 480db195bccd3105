"""Hashes of code.yaml cover what a stage is made of: else DVC keeps stale results in silence."""

import subprocess
import sys
from functools import cache

import pytest
from ruamel.yaml import YAML

from tests.repo.code_graph import ROOT
from thawline.dvc import code
from thawline.ingest.decoding.preprocess import PreparedImage
from thawline.params import plugins

IMPORTED = {
    (stage, kind)
    for stage in ("ingest", "rebalance", "augment")
    for kind in (plugins.FAMILY, plugins.CONVOLUTION)
}
"""Not what params choose: the trunk of their features is imported by name, as it is."""
NAMES = {
    plugins.SOURCE: "SOURCE",
    plugins.STRATEGY: "STRATEGY",
    plugins.POLICY: "POLICY",
    plugins.FAMILY: "FAMILY",
    plugins.CONVOLUTION: "CONVOLUTION",
    plugins.CRITERION: "CRITERION",
}
OF_DATA_AND_WEIGHTS = (
    "ingest", "rebalance", "augment", "transfer_learn", "fine_tune", "compress",
)  # fmt: skip


@cache
def graph() -> dict[str, dict[str, object]]:
    """Give the stages of dvc.yaml but `code`."""
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return {name: spec for name, spec in stages.items() if name != code.STAGE}


STAGES = tuple(graph())


def keys(stage: str) -> set[str]:
    (named,) = [entry for entry in graph()[stage]["params"] if isinstance(entry, dict)]
    return set(named[code.FILE.name])


def template(kind: plugins.PluginKind) -> str:
    return f"plugins.{kind.key}.${{{kind.key}}}"


def text(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def test_stages_are_the_scripts() -> None:
    assert set(code.running().stages) == set(STAGES)
    for stage in STAGES:
        assert graph()[stage]["cmd"] == f"python -m stages.{stage}"


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_names_its_hash_and_no_module(stage: str) -> None:
    assert f"stages.{stage}" in keys(stage)
    assert keys(stage) - {f"stages.{stage}"} <= {template(kind) for kind in plugins.KINDS}
    deps = [str(dep) for dep in graph()[stage]["deps"]]
    assert not [dep for dep in deps if dep.startswith(("thawline", "stages"))]


@pytest.mark.parametrize("stage", STAGES)
def test_plugins_are_named_by_template(stage: str) -> None:
    """A stage whose code can load plugins of a kind depends on the chosen one."""
    files = [f for f in code.running().modules(f"stages.{stage}") if f.endswith(".py")]
    for kind in plugins.KINDS:
        word = f"plugins.{NAMES[kind]}"
        uses = any(word in text(file) for file in files if "load(" in text(file))
        if (stage, kind) in IMPORTED:
            continue
        assert (template(kind) in keys(stage)) == uses, (stage, kind.key)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_made_of_its_script_its_libraries_and_nothing_neutral(stage: str) -> None:
    found = code.running().modules(f"stages.{stage}")
    assert {f"stages/{stage}.py", code.LIBRARIES} <= found
    assert not [file for file in found if code.is_neutral(file)]


def test_every_plugin_has_a_hash_of_what_it_imports_too() -> None:
    record = code.running().record()
    for kind in plugins.KINDS:
        found = code.value(record, f"plugins.{kind.key}")
        assert tuple(found) == plugins.names(kind)
        assert len(set(found.values())) == len(found)
    assert "thawline/augment/light.py" in code.running().modules("plugins.augment.policy.auto")


def test_what_is_neutral_exists() -> None:
    assert [file for file in code.NEUTRAL if not (ROOT / file).is_file()] == []
    assert [name for name in code.NEUTRAL_FOLDERS if not (ROOT / name).is_dir()] == []


@pytest.mark.parametrize("stage", OF_DATA_AND_WEIGHTS)
def test_what_makes_data_and_weights_does_not_draw(stage: str) -> None:
    found = code.running().modules(f"stages.{stage}")
    assert "thawline/plots/style.py" not in found
    assert [file for file in found if "matplotlib" in text(file)] == []


def test_packages_hold_no_code_in_init() -> None:
    graph = code.running().graph
    inits = [file for file in graph.hashes if file.endswith("__init__.py")]
    assert [file for file in inits if graph.named[graph.hashes[file]] is not None] == []


def test_arrows_point_one_way() -> None:
    graph = code.running().graph
    for file in graph.hashes:
        if file.startswith("thawline/"):
            outward = {dep for dep in graph.imports(file) if not dep.startswith("thawline/")}
            assert not outward, f"{file} imports {outward}"


def test_the_cache_of_decoded_images_names_what_decodes() -> None:
    """Else an edit of it would leave old pixels in use."""
    found = code.running().modules(PreparedImage.__module__)
    assert {
        f"thawline/ingest/decoding/{name}.py" for name in ("preprocess", "decode", "image_stats")
    } <= found


def test_the_file_that_git_has_is_of_these_modules() -> None:
    """`python -m thawline.dvc.code` writes it."""
    assert (ROOT / code.FILE).read_text(encoding="utf-8") == code.text(code.Code().record())


def test_the_stage_that_hashes_loads_nothing_heavy() -> None:
    program = "import sys, thawline.dvc.code; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert loaded & {"torch", "numpy", "pydantic", "ruamel", "dvc", "mlflow"} == set()


def test_files_that_are_no_modules_are_hashed_where_they_are_read() -> None:
    read = code.running()
    others = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "thawline").rglob("*.*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert others == {file for file in read.graph.hashes if not file.endswith(".py")}
    assert others <= read.modules("stages.evaluate")
    assert others & read.modules("stages.compress") == {code.LIBRARIES}
