"""What processes that train together, and stages of any dvc.yaml, are made of."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from thawline.dvc import code, stage_inputs
from thawline.dvc.hashes import Graph
from thawline.errors import UserError
from thawline.params import params_file

HELPER = """\
from thawline.pipeline import stage_main
stage_main.run("fine_tune", lambda params, run: print(params.fine_tune.epochs))
"""


@pytest.fixture
def workspace(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_bytes((repository / name).read_bytes())
    (tmp_path / code.FILE).write_text(code.text(code.running().record()))
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "fine_tune")
    return tmp_path


def _edit(old: str, new: str) -> None:
    text = params_file.FILE.read_text(encoding="utf-8")
    assert text.count(old) == 1
    params_file.FILE.write_text(text.replace(old, new), encoding="utf-8")


def test_a_process_beside_another_has_its_params(workspace: Path) -> None:
    begun = json.dumps(params_file.read().values | {"seed": 7})
    _edit("ema_decay: 0.97", "ema_decay: broken")
    done = subprocess.run(
        [sys.executable, "-c", HELPER],
        env=os.environ | {"RANK": "1", "WORLD_SIZE": "2", "THAWLINE_PARAMS": begun},
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "auto\n", "")


def test_what_a_stage_names(workspace: Path) -> None:
    source = params_file.read()
    origin = stage_inputs.begin("fine_tune", Graph(workspace), source)
    assert origin is not None
    assert "thawline/models/architectures/efficientnet.py" in origin.modules
    assert not any("$" in name for name in origin.files)
    keys = {"stages.fine_tune", "plugins.model.family.efficientnet"}
    assert keys <= set(origin.values["code.yaml"])
    assert origin.values["params.yaml"]["fine_tune"] == source.values["fine_tune"]
    assert origin.outs["models/fine_tune"]
    assert not origin.outs["reports/fine_tune/metrics.json"]


def test_a_plugin_chosen_anew_while_the_run_is_in_progress(workspace: Path) -> None:
    """DVC has filled the templates of dvc.yaml in when the run began."""
    stage_inputs.begin("fine_tune", Graph(workspace), params_file.read())
    _edit("family: efficientnet", "family: resnet")
    with pytest.raises(
        UserError, match=r"model\.family was edited from 'efficientnet' to 'resnet'"
    ):
        stage_inputs.begin("fine_tune", Graph(workspace), params_file.read())


def test_nothing_is_asked_outside_of_dvc(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_STAGE")
    assert stage_inputs.begin("fine_tune", Graph(workspace), params_file.read()) is None


def test_a_file_of_params_that_is_half_written(workspace: Path) -> None:
    origin = stage_inputs.begin("fine_tune", Graph(workspace), params_file.read())
    assert origin is not None
    params_file.FILE.write_text("seed: [")
    with pytest.raises(UserError, match=r"params.yaml: was removed or can no longer be read"):
        origin.require(lambda: pytest.fail("the outputs are not safe"))


def test_code_that_is_not_what_was_described_is_refused(workspace: Path) -> None:
    """It was edited after the stage `code` had read it."""
    record = code.running().record()
    record["stages"]["fine_tune"] = "0" * 16
    code.FILE.write_text(code.text(record))
    with pytest.raises(UserError, match=r"stages\.fine_tune: the code was edited since"):
        stage_inputs.begin("fine_tune", Graph(workspace), params_file.read())
    assert (
        stage_inputs.begin("compress", Graph(workspace), params_file.read()) is None
    )  # is not running


def test_code_that_is_edited_meanwhile_is_named(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = stage_inputs.begin("fine_tune", Graph(workspace), params_file.read())
    assert origin is not None
    edited = code.Code()
    hashes, other = dict(edited.graph.hashes), "0" * 64
    named = {**edited.graph.named, other: edited.graph.named[hashes["thawline/training/loop.py"]]}
    hashes["thawline/training/loop.py"] = other
    edited.graph = replace(edited.graph, hashes=hashes, named=named)
    monkeypatch.setattr(stage_inputs, "Code", lambda: edited)
    with pytest.raises(UserError, match=r"^thawline/training/loop\.py: was changed while the"):
        origin.require(lambda: None)
