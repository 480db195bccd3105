"""The registered model: made once, self-contained, and served for real."""

import base64
import io
import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnx
import pytest
from mlflow import MlflowClient
from PIL import Image

from tests import colours
from tests.tracking.conftest import REPOSITORY, Project

pytestmark = pytest.mark.slow
PUBLISH = "from thawline.registry.publish import publish; print(publish())"


def _encoded(size: tuple[int, int], colour: tuple[int, int, int]) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def published(project: Project) -> Project:
    return with_model(project)


def with_model(project: Project) -> Project:
    """The project after its first model was published."""
    colours.write(project.folder / "models/compress")
    colours.write_images(project.folder / "data/ingest", ["train", "val", "test"] * 10)
    first = project.python(PUBLISH).stdout
    assert "version='1', new=True, champion=True" in first
    return project


def test_publishing_twice_publishes_once_a_new_model_challenges(
    published: Project,
) -> None:
    assert "version='1', new=False" in published.python(PUBLISH).stdout
    colours.write(published.folder / "models/compress", scale=1 / 16)
    assert "version='2', new=True, champion=False" in published.python(PUBLISH).stdout
    aliases = MlflowClient(published.uri).get_registered_model("thawline").aliases
    assert {name: str(version) for name, version in aliases.items()} == {
        "champion": "1",
        "challenger": "2",
    }


def test_mlflow_loads_the_network_as_onnx_too(published: Project) -> None:
    mlflow.set_tracking_uri(published.uri)
    network = mlflow.onnx.load_model("models:/thawline@champion")
    kept = (published.folder / "models/compress/model.onnx").read_bytes()
    assert network.SerializeToString(deterministic=True) == onnx.load_from_string(
        kept
    ).SerializeToString(deterministic=True)


def test_a_model_that_cannot_predict_moves_no_alias(published: Project) -> None:
    (published.folder / "models/compress/model.onnx").write_bytes(b"no network")
    done = published.python(PUBLISH, check=False)
    assert done.returncode != 0
    aliases = MlflowClient(published.uri).get_registered_model("thawline").aliases
    assert str(aliases["challenger"]) == "1"


@pytest.fixture
def served(published: Project, tmp_path: Path) -> Iterator[str]:
    with serving(published, tmp_path) as address:
        yield address


@contextmanager
def serving(published: Project, folder: Path) -> Iterator[str]:
    """Address of a server of the newest model that works in the folder."""
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
        cwd=folder,
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


def test_mlflow_serves_one_image_without_the_project(served: str, tmp_path: Path) -> None:
    image = _encoded((90, 40), (250, 10, 10))
    bodies = (
        {"dataframe_split": {"columns": ["image"], "data": [[image]]}},
        {"dataframe_records": [{"image": image}]},
        {"inputs": {"image": [image]}},
        {"inputs": [image]},
        {"inputs": {"image": [np.full((9, 9, 3), (250, 10, 10)).tolist()]}},
        {"dataframe_records": [{"image": np.full((9, 9, 3), (250, 10, 10)).tolist()}]},
    )
    for body in bodies:
        status, answer = _ask(served, body)
        assert status == 200, answer
        (row,) = answer["predictions"]
        assert tuple(row) == colours.CLASSES
        assert row["red"] > 0.99
        assert sum(row.values()) == pytest.approx(1, abs=1e-5)
    # An address is never fetched, a bad image is one message, and the server lives on.
    for bad in ("http://127.0.0.1:9/x.png", "aGVsbG8=", "", 5, None):
        status, answer = _ask(served, {"dataframe_split": {"columns": ["image"], "data": [[bad]]}})
        assert status == 400, answer
        assert answer["message"].startswith("image 0: ")
    assert _ask(served, {"inputs": []})[0] == 400
    text = urllib.request.Request(
        f"{served}/invocations", data=image.encode(), headers={"Content-Type": "text/plain"}
    )
    with pytest.raises(urllib.error.HTTPError) as unsupported:
        urllib.request.urlopen(text, timeout=20)
    assert unsupported.value.code == 415
    unsupported.value.close()
    assert _ask(served, bodies[0])[0] == 200
    _check_client_of_the_docs(served, tmp_path)


def _check_client_of_the_docs(served: str, folder: Path) -> None:
    text = (REPOSITORY / "docs/serving.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(\"\"\"python client\.py .*?)```", text, re.DOTALL)
    for name, colour in (("a.png", (250, 10, 10)), ("b.png", (10, 10, 250))):
        (folder / name).write_bytes(base64.b64decode(_encoded((30, 40), colour)))
    (folder / "bad.png").write_text("no image")
    words = [sys.executable, "-c", code, served]
    done = subprocess.run(
        [*words, "a.png", "b.png"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert [line.split(" (")[0] for line in done.stdout.splitlines()] == [
        "a.png: red", "b.png: blue",
    ]  # fmt: skip
    done = subprocess.run([*words, "bad.png"], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr.startswith("image 0: ")) == (1, True)


def test_two_at_once_register_a_model_once(project: Project) -> None:
    colours.write(project.folder / "models/compress")
    colours.write_images(project.folder / "data/ingest", ["train", "val", "test"] * 10)
    both = [project.popen(sys.executable, "-c", PUBLISH) for _ in range(2)]
    said = ["".join(process.communicate(timeout=180)) for process in both]
    assert sorted("new=True" in text for text in said) == [False, True]
    assert all("version='1'" in text for text in said)
    assert len(MlflowClient(project.uri).search_model_versions("name = 'thawline'")) == 1


def test_what_is_hashed_is_what_is_stored(project: Project) -> None:
    """Another model comes between the two, as from `dvc repro`."""
    model = project.folder / "models/compress"
    colours.write(model)
    colours.write_images(project.folder / "data/ingest", ["train", "val", "test"] * 10)
    before = (model / "model.onnx").read_bytes()
    code = (
        "from pathlib import Path; from tests import colours\n"
        "from thawline.registry import publish\n"
        "known = publish._registered\n"
        "def registered(*words):\n"
        "    colours.write(Path('models/compress'), scale=1 / 16)\n"
        "    return known(*words)\n"
        "publish._registered = registered\n"
        "from thawline.registry import versions\n"
        "found = publish.publish()\n"
        "print(versions.fetch(found.version))\n"
    )
    folder = Path(project.python(code).stdout.splitlines()[-1])
    assert (model / "model.onnx").read_bytes() != before
    assert (folder / "model.onnx").read_bytes() == before


def test_the_gate_judges_what_is_registered(published: Project) -> None:
    """Another model comes before the gate decides."""
    colours.write(published.folder / "models/compress", scale=1 / 16)
    code = (
        "from pathlib import Path; from tests import colours\n"
        "from thawline.registry import publish\n"
        "check = publish._check\n"
        "def checked(*words):\n"
        "    colours.write(Path('models/compress'), scale=1 / 4)\n"
        "    check(*words)\n"
        "publish._check = checked\n"
        "from thawline.prediction import model\n"
        "init = model.Model.__init__\n"
        "def noted(self, folder):\n"
        "    print('judged', folder)\n"
        "    init(self, folder)\n"
        "model.Model.__init__ = noted\n"
        "publish.publish()\n"
    )
    judged = [line for line in published.python(code).stdout.splitlines() if "judged" in line]
    assert len(judged) == 2
    assert not any(line.endswith("models/compress") for line in judged)


def test_a_stage_before_that_ran_again_is_not_published(project: Project) -> None:
    """Else the version would say that it was trained on data that came later."""
    colours.write(project.folder / "models/compress")
    colours.write_images(project.folder / "data/ingest", ["train", "val", "test"] * 10)
    project.thawline_run()
    project.set("ingest.val_ratio", "0.3")
    project.run("dvc", "repro", "-q", "ingest", env={"THAWLINE_TRACKING": "off"})
    done = project.python(PUBLISH, check=False)
    assert "fine_tune: ran on other results than the stages before it have now" in done.stderr


def test_a_run_in_progress_is_not_published(published: Project) -> None:
    (published.folder / "mode-ingest").write_text("sleep")
    run = "import sys; from thawline.pipeline.run import run; sys.exit(run())"
    process = published.popen(sys.executable, "-c", run)
    try:
        deadline = time.monotonic() + 60
        while not (published.folder / ".mark").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        done = published.python(PUBLISH, check=False)
        assert "in progress; wait for it or end it; nothing was published" in done.stderr
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.parametrize("damage", ["cut", "gone", "not said"])
def test_a_damaged_copy_of_a_version_is_fetched_again(published: Project, damage: str) -> None:
    code = "from thawline.registry import versions; print(versions.fetch('1'))"
    folder = Path(published.python(code).stdout.splitlines()[-1])
    network = folder / "model.onnx"
    whole = network.read_bytes()
    if damage == "cut":
        network.write_bytes(whole[:100])
    elif damage == "gone":
        network.unlink()
    else:
        folder.with_name(f"{folder.name}.md5").write_bytes(b"\xff\xfe")
    again = published.python(code)
    assert "is fetched again" in again.stderr
    assert network.read_bytes() == whole
    assert "is fetched again" not in published.python(code).stderr
