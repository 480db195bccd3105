"""What README, SECURITY.md and docs/ name exists: files, commands, options, keys, variables."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from tests.repo.code_graph import ROOT
from thawline.cli.app import app
from thawline.params import plugins

PAGES = sorted([ROOT / "README.md", ROOT / "SECURITY.md", *ROOT.glob("docs/**/*.md")])
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_KEY = re.compile(r"[a-z_]+(\.[a-z_]+)+")
_FOLDERS = ("thawline/", "stages/", "tests/", "docs/", "studies/", "benchmarks/")
_VARIABLE = re.compile(r"\bTHAWLINE_[A-Z_]+")
_MODULE = re.compile(
    r"\bpython -m ((?:thawline|flows|stages|benchmarks|tests)(?:\.[a-z_0-9]+)*)(?!\.[<A-Z]|\w)"
)


_SUFFIXES = ("py", "md", "json", "onnx", "safetensors", "yaml")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    missing = []
    for target in _LINK.findall(text(name)):
        path, _, part = target.partition("#")
        if "://" in path:
            continue
        file = ROOT / name if not path else (ROOT / name).parent / path
        headings = re.findall(r"(?m)^#+ (.*)$", file.read_text("utf-8")) if part else []
        if not file.exists() or (part and part not in map(slug, headings)):
            missing.append(target)
    assert missing == []


@pytest.mark.parametrize("name", NAMES)
def test_files_are_there(name: str) -> None:
    spans = [span.partition("::")[0] for span in _SPAN.findall(text(name))]
    named = [s for s in spans if s.startswith(_FOLDERS) and not re.search(r"[<>*{}\s]", s)]
    assert [span for span in named if not (ROOT / span.rstrip("/")).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_modules_are_there(name: str) -> None:
    named = {module.replace(".", "/") for module in _MODULE.findall(text(name))}
    there = {m for m in named if (ROOT / f"{m}.py").exists() or (ROOT / m / "__main__.py").exists()}
    assert named - there == set()


def _lines(name: str) -> Iterator[str]:
    """Commands of blocks and of spans, without what is said beside them."""
    blocks = [
        line.lstrip("$ ") for _, body in _BLOCK.findall(text(name)) for line in body.split("\n")
    ]
    for line in [*blocks, *_SPAN.findall(_BLOCK.sub("", text(name)))]:
        for part in re.split(r"&&|\|", line.partition("  #")[0]):
            yield part.strip()


@pytest.mark.parametrize("name", NAMES)
def test_commands_have_their_options(name: str) -> None:
    group: Any = typer.main.get_command(app)
    wrong = []
    for line in _lines(name):
        words = line.split()
        if len(words) < 2 or words[0] != "thawline" or words[1].startswith("-"):
            continue
        command = group.commands.get(words[1].strip(".,"))
        known = (
            {o for p in command.params for o in (*p.opts, *p.secondary_opts)} if command else set()
        )
        options = [word.partition("=")[0].strip("`.,") for word in words[2:] if word[:2] == "--"]
        if command is None or set(options) - known:
            wrong.append(line)
    assert [line for line in wrong if not line.startswith(("thawline ...", "thawline VERB"))] == []


@pytest.mark.parametrize("name", NAMES)
def test_keys_of_params_are_there(name: str) -> None:
    sections = YAML(typ="safe").load(text("params.yaml"))
    wrong = []
    for span in {span.partition(":")[0].partition("=")[0] for span in _SPAN.findall(text(name))}:
        parts = span.split(".")
        if not _KEY.fullmatch(span) or parts[0] not in sections or parts[-1] in _SUFFIXES:
            continue
        found: Any = sections
        for part in parts:
            found = found.get(part, KeyError) if isinstance(found, dict) else KeyError
            if found is KeyError:
                wrong.append(span)
                break
            if part == "options":
                break
    assert [span for span in wrong if span not in MEASURED] == []


MEASURED = frozenset({"compress.accuracy", "fine_tune.val_macro_f1", "transfer_learn.val_macro_f1"})
"""Numbers of a stage, which are written like keys."""


@pytest.mark.parametrize("name", NAMES)
def test_variables_are_read(name: str) -> None:
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "thawline").rglob("*.py"))
    assert {found for found in _VARIABLE.findall(text(name)) if found not in code} == set()


def _examples(name: str) -> Iterator[tuple[str, str]]:
    """Heading and Python of each block."""
    for section in re.split(r"(?m)^## ", text(name))[1:]:
        for language, body in _BLOCK.findall(section):
            if language == "python":
                yield section.split("\n")[0], body


ADDING = dict(_examples("docs/adding.md"))


def _example(heading: str) -> dict[str, Any]:
    module: dict[str, Any] = {}
    exec(compile(ADDING[heading], heading, "exec"), module)
    return module


def test_the_source_of_the_docs_reads(tmp_path: Path) -> None:
    for word in ("cat", "dog"):
        for number in range(3):
            (tmp_path / f"{word}_{number}.png").touch()
    source = _example("A source of images")["read"](tmp_path)
    assert source.classes == ("cat", "dog")
    assert [item.label for item in source.items] == [0, 0, 0, 1, 1, 1]


def test_the_strategy_of_the_docs_plans() -> None:
    import numpy as np

    labels = np.array([0, 0, 0, 0, 1, 1])
    plan = _example("A rebalancing strategy")["plan"](labels, 2, rng=np.random.default_rng(0))
    assert np.bincount(labels[plan.indices]).tolist() == [4, 4]


def test_the_policy_of_the_docs_is_allowed() -> None:
    from thawline.augment import _transforms

    steps = _example("An augmentation policy")["policy"](32)
    assert {step["name"] for step in steps} <= set(_transforms.ALLOWED)


def test_the_convolution_of_the_docs_keeps_the_shape() -> None:
    import torch
    from torch import nn

    replace = _example("A kind of convolution")["replace"]
    conv = nn.Conv2d(8, 16, 3, stride=2, padding=1)
    other = replace(conv, None)
    images = torch.zeros(1, 8, 9, 9)
    assert (other.groups, other(images).shape) == (2, conv(images).shape)
    assert replace(nn.Conv2d(8, 16, 1), None) is None


def test_the_criterion_of_the_docs_is_one() -> None:
    from torch_pruning.pruner.importance import Importance

    assert isinstance(_example("A pruning criterion")["importance"](), Importance)


def test_plugins_of_the_docs_are_there() -> None:
    listed = re.findall(r"(?m)^\| `(\w+)` \|", text("README.md").split("Other sources:")[1])
    assert set(plugins.names(plugins.SOURCE)) - {"digits"} <= set(listed)


def test_a_folder_without_mlflow_is_used_as_the_docs_say(tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    from tests import colours

    (code,) = [
        body for heading, body in _examples("docs/serving.md") if heading == "Without MLflow"
    ]
    colours.write(tmp_path / "models/compress")
    Image.fromarray(np.full((40, 30, 3), (250, 5, 5), np.uint8)).save(tmp_path / "photo.png")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split()[0] == "red", done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_lines_are_wrapped(name: str) -> None:
    """But for tables, code, headings and what cannot be broken."""
    lines = re.sub(r"(?ms)^```.*?^```$", "", text(name)).splitlines()
    wide = [line for line in lines if len(line) > 100 and not line.startswith(("|", "#", "    "))]
    assert [line for line in wide if " " in re.sub(r"`[^`]*`|\]\([^)]*\)", "", line[:100])] == []


DECISIONS = [name for name in NAMES if re.fullmatch(r"docs/decisions/\d{4}-[\w-]+\.md", name)]


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_has_a_date_and_a_status(name: str) -> None:
    head = text(name).splitlines()[2]
    assert re.fullmatch(r"\*\d{4}-\d\d-\d\d, (in force|superseded by \[.*\]\(\d{4}-.*\))\.\*", head)
