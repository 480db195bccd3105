"""The registered model: made once, self-contained, and served for real."""

import base64
import io
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from mlflow import MlflowClient
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tests.tracking.conftest import Project

pytestmark = pytest.mark.slow
PUBLISH = "from thawline.tracking.publish import publish; print(publish())"
CLASSES = ["red", "green", "blue"]


def _network(path: Path, scale: float) -> None:
    """Softmax over the mean of each colour: uint8 (N, 64, 64, 3) -> float32 (N, 3)."""
    constants = [
        numpy_helper.from_array(np.array([1, 2], dtype=np.int64), "axes"),
        numpy_helper.from_array(np.array(scale, dtype=np.float32), "scale"),
    ]
    nodes = [
        helper.make_node("Cast", ["images"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "axes"], ["means"], keepdims=0),
        helper.make_node("Mul", ["means", "scale"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 64, 64, 3])
    out = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 3])
    graph = helper.make_graph(nodes, "colours", [images], [out], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.save(model, str(path))


def _encoded(size: tuple[int, int], colour: tuple[int, int, int]) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def published(project: Project) -> Project:
    folder = project.folder / "models/compress"
    folder.mkdir(parents=True)
    _network(folder / "model.onnx", 1 / 32)
    card = {"classes": CLASSES, "image_size_px": 64, "fit": "stretch", "background": [0, 0, 0]}
    (folder / "model.json").write_text(json.dumps(card))
    first = project.python(PUBLISH).stdout
    assert "version='1', new=True, champion=True" in first
    return project


def test_publishing_twice_publishes_once_a_new_model_challenges(
    published: Project,
) -> None:
    assert "version='1', new=False" in published.python(PUBLISH).stdout
    _network(published.folder / "models/compress/model.onnx", 1 / 16)
    assert "version='2', new=True, champion=False" in published.python(PUBLISH).stdout
    aliases = MlflowClient(published.uri).get_registered_model("thawline").aliases
    assert {name: str(version) for name, version in aliases.items()} == {
        "champion": "1",
        "challenger": "2",
    }


def test_a_model_that_cannot_predict_moves_no_alias(published: Project) -> None:
    (published.folder / "models/compress/model.onnx").write_bytes(b"no network")
    done = published.python(PUBLISH, check=False)
    assert done.returncode != 0
    aliases = MlflowClient(published.uri).get_registered_model("thawline").aliases
    assert str(aliases["challenger"]) == "1"


@pytest.fixture
def served(published: Project, tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {k: v for k, v in published.env.items() if k != "PYTHONPATH"}
    command = [
        sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/thawline@challenger",
        "--env-manager", "local", "--port", str(port),
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=env | {"MLFLOW_TRACKING_URI": published.uri, "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/ping", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=10)


def _ask(address: str, body: Any) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{address}/invocations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_mlflow_serves_one_image_without_the_project(served: str) -> None:
    image = _encoded((90, 40), (250, 10, 10))
    bodies = (
        {"dataframe_split": {"columns": ["image"], "data": [[image]]}},
        {"dataframe_records": [{"image": image}]},
        {"inputs": {"image": [image]}},
        {"inputs": [image]},
    )
    for body in bodies:
        status, answer = _ask(served, body)
        assert status == 200, answer
        (row,) = answer["predictions"]
        assert list(row) == CLASSES
        assert row["red"] > 0.99
        assert sum(row.values()) == pytest.approx(1, abs=1e-5)
    # An address is never fetched, a bad image is one message, and the server lives on.
    for bad in ("http://127.0.0.1:9/x.png", "aGVsbG8=", "", 5, None):
        status, answer = _ask(served, {"dataframe_split": {"columns": ["image"], "data": [[bad]]}})
        assert status == 400, answer
        assert "image 0: " in answer["message"]
    assert _ask(served, bodies[0])[0] == 200
