"""Hashes, closing values and addresses: no store needed."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.tracking.conftest import Project
from thawline.dvc import hashes
from thawline.tracking import address, closing


def test_hashes_are_those_of_a_real_dvc_lock(project: Project) -> None:
    (project.folder / "dvc.yaml").write_text(
        "stages:\n  s:\n    cmd: python make.py\n    outs: [d, f.bin, {m.txt: {cache: false}}]\n"
    )
    (project.folder / "make.py").write_text(
        "from pathlib import Path\n"
        "for p in ('d/b/x y', 'd/a-b', 'd/a/z', 'd/é', 'f.bin', 'm.txt'):\n"
        "    Path(p).parent.mkdir(parents=True, exist_ok=True)\n"
        "    Path(p).write_bytes(p.encode() + b'\\r\\n')\n"
    )
    project.run("dvc", "repro")
    lock = YAML(typ="safe").load((project.folder / "dvc.lock").read_text())
    for out in lock["stages"]["s"]["outs"]:
        assert hashes.md5(project.folder / out["path"]) == out["md5"]
    graph = hashes.Graph(project.folder)
    assert graph.outputs("s") == ("d", "f.bin", "m.txt")
    assert set(graph.recorded("s")) == {"d", "f.bin", "m.txt"}
    assert graph.digest() == hashes.digest(graph.recorded("s"))
    assert graph.digest() == hashes.digest({k + "/": v for k, v in graph.recorded("s").items()})


def test_stages_come_in_the_order_of_their_dependencies(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages:\n  b: {cmd: b}\n  a: {cmd: a}\n")
    (tmp_path / "dvc.lock").write_text(
        "stages:\n  b: {deps: [{path: data/x/y}]}\n  a: {outs: [{path: data/x, md5: '1'}]}\n"
    )
    assert hashes.Graph(tmp_path).stages == ("a", "b")
    assert hashes.Graph(tmp_path / "nowhere").stages == ()
    assert hashes.Graph(tmp_path / "nowhere").digest() is None


def test_numbers_are_flattened_and_the_rest_left_out() -> None:
    values = {"a": {"b": 1, "c": float("nan"), "d": [1], "e": "x"}, "f": 2.5}
    assert closing.numbers(values) == {"a.b": 1.0, "f": 2.5}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://me:secret@host:5000/x?token=1", "https://host:5000/x"),
        ("postgresql://me:secret@db/mlflow", "postgresql://db/mlflow"),
        ("sqlite:////a b/mlflow.db", "sqlite:////a b/mlflow.db"),
    ],
)
def test_an_address_is_shown_without_credentials(given: str, shown: str) -> None:
    assert address.shown(given) == shown


def test_a_relative_store_lies_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db")
    assert address.uri() == f"sqlite:///{tmp_path}/x.db"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert address.uri() == f"sqlite:///{tmp_path}/mlflow.db"


def test_a_stage_imports_no_mlflow() -> None:
    loaded = "thawline.tracking.client, thawline.pipeline.run"
    code = f"import sys, {loaded}; print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
