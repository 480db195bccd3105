"""Files that a disk, a person or another program damaged: one line, whatever is wrong with them."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from tests import colours
from thawline.cost import ort_session
from thawline.dataset.image_store import ImageStore
from thawline.dvc import cache as dvc_cache
from thawline.dvc import input_check
from thawline.dvc.hashes import Graph
from thawline.errors import UserError
from thawline.evaluation.results import Results
from thawline.features.cache import FeatureCache
from thawline.ingest.decoding.tiff_header import objection
from thawline.models.checkpoint import WEIGHTS
from thawline.prediction.model import Predictor
from thawline.prediction.predict import predict
from thawline.registry.training_fingerprint import TrainingFingerprint
from thawline.runtime import checksummed_file, execution, safe_json, safe_yaml
from thawline.studies import records
from thawline.tracking import journal
from thawline.training import curves, resume
from thawline.training.refit import FILE as REFIT
from thawline.training.refit import Refit

DEEP = b"[" * 100_000


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def line(action: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        action()
    said = str(caught.value)
    assert said.isprintable()
    return said


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


HEADERS = {
    "an open bracket": npy(np.arange(3, dtype=np.uint64)).replace(b"(3,)", b"(3, "),
    "too many": npy(np.arange(3, dtype=np.uint64)).replace(b"(3,), ", b"(9**9,"),
    "no key": npy(np.arange(3, dtype=np.uint64)).replace(b"'descr'", b"'dexcr'"),
    "cut": npy(np.arange(3, dtype=np.uint64))[:9],
    "of texts": npy(np.array(["a", "b"])),
    "of two dimensions": npy(np.zeros((2, 2), np.uint64)),
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_hashes_with_a_damaged_header(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "seen.npz"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("rows.npy", header)
        out.writestr("groups.npy", npy(np.arange(3, dtype=np.uint64)))
    assert "seen.npz: cannot be read: " in line(lambda: TrainingFingerprint.read(path))


def test_hashes_in_a_zip_that_is_damaged_inside(tmp_path: Path) -> None:
    path = tmp_path / "seen.npz"
    numbers = np.arange(999, dtype=np.uint64)
    np.savez_compressed(path, rows=numbers, groups=numbers)
    whole = path.read_bytes()
    start = whole.index(b"rows.npy") + 60
    for damage in (bytes(9), b"\xff" * 9):  # of a deflated stream
        path.write_bytes(whole[:start] + damage + whole[start + 9 :])
        assert "cannot be read" in line(lambda: TrainingFingerprint.read(path))
    flags = whole.index(b"PK\1\2") + 8  # says that it is encrypted
    path.write_bytes(whole[:flags] + bytes([whole[flags] | 1]) + whole[flags + 1 :])
    assert "encrypted" in line(lambda: TrainingFingerprint.read(path))


@pytest.mark.parametrize("kind", ["header", "archive"])
def test_packed_images_that_are_no_array(tmp_path: Path, kind: str) -> None:
    colours.write_images(tmp_path, ["train", "val"])
    (file,) = tmp_path.glob("images-*.npy")
    if kind == "header":
        file.write_bytes(file.read_bytes().replace(b"}", b"("))
    else:
        with file.open("wb") as out:
            np.savez(out, a=np.arange(3))
    assert "cannot be read: damaged" in line(lambda: ImageStore(tmp_path))


def test_json_that_is_nested_too_deeply() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        safe_json.loads(DEEP)


def test_scratch_that_is_nested_too_deeply_counts_as_none(here: Path) -> None:
    scratch = here / ".thawline"
    names = ("executions/1-ab.json", "received.json", "studies/s/k/record.json")
    for path in (scratch / name for name in names):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DEEP)
    assert execution.read("1-ab") is None
    assert input_check._known() == {}
    assert records.TrialRecord.read("s", "k") is None
    waiting = journal.Journal.create(header={"run_id": "a" * 32, "parent_run_id": "b" * 32})
    (waiting.folder / "events.jsonl").write_bytes(b'{"event": "one"}\n' + DEEP + b"\n")
    found: list[object] = []
    assert "1 line(s) of" in waiting.send(found.append)
    assert found == [{"event": "one"}]


@pytest.mark.parametrize(
    "damage", [{"pid": {}}, {"pid": -3}, {"started": "x"}, {"stages": {"ingest": 3}}], ids=str
)
def test_a_state_of_other_values_counts_as_none(here: Path, damage: dict[str, object]) -> None:
    path = here / ".thawline" / "executions" / "1-ab.json"
    path.parent.mkdir(parents=True)
    whole = {"pid": 3, "started": 1.5, "launched": False, "machine": "x", "stages": {}}
    path.write_text(json.dumps(whole))
    assert execution.read("1-ab") == whole
    path.write_text(json.dumps(whole | damage))
    assert execution.read("1-ab") is None
    assert list(execution.everything()) == []


def test_a_trial_of_infinite_labels_counts_as_none(here: Path) -> None:
    rows = {"ids": ["a"], "labels": [0], "predicted": [1], "rare": [True, False]}
    record = {
        "study": "s", "key": "k", "contender": "c", "seed": 1, "overrides": {},
        "state": "complete", "rows": rows,
    }  # fmt: skip
    path = here / ".thawline" / "studies" / "s" / "k" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record))
    assert records.TrialRecord.read("s", "k") is not None
    rows["labels"] = [float("inf")]
    path.write_text(json.dumps(record))
    assert records.TrialRecord.read("s", "k") is None


def test_a_report_that_is_nested_too_deeply(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_bytes(DEEP)
    assert "nested too deeply" in line(lambda: Results.read(tmp_path))


@pytest.mark.parametrize("text", ["stages: " + "[" * 5000, "a: !!bool x", "a: {"])
def test_yaml_of_a_program_that_is_damaged(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        safe_yaml.parse_machine_written(text)


STRANGE = """stages:
  a: {deps: x, outs: [{p: y}, {}, 3, {q: {cache: false}}], metrics: , plots: 7}
  b: 3
  c: [d]
"""


def test_a_strange_pipeline_counts_as_far_as_it_goes(here: Path) -> None:
    (here / "dvc.yaml").write_text(STRANGE)
    (here / "dvc.lock").write_text("stages: " + "[" * 5000)
    graph = Graph(here)
    assert graph.stages == ("a", "b", "c")
    assert graph.outputs("a") == ("p", "", "3", "q")
    assert graph.uncached() == ("q",)
    assert [graph.received(name) for name in graph.stages] == [{}, {}, {}]
    assert graph.digest() is None


@pytest.mark.parametrize("lock", ["{", "stages:\n  x: 3\n", "stages:\n  x:\n    outs:\n    - y\n"])
def test_outputs_are_put_back_as_far_as_dvc_lock_goes(
    here: Path, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    monkeypatch.setenv("DVC_STAGE", "x")
    monkeypatch.setattr(dvc_cache, "_dvc", lambda *_: "")
    (here / "dvc.lock").write_text(lock)
    dvc_cache.put_back("x")


@pytest.mark.parametrize("value", ["1e999", "[1]", "{}"])
def test_numbers_of_a_training_that_are_none(tmp_path: Path, value: str) -> None:
    (tmp_path / curves.FILE).write_text("epoch,val_loss\n1,0.5\n")
    (tmp_path / "metrics.json").write_text(f'{{"best_epoch": {value}}}')
    assert "metrics.json: damaged: " in line(lambda: curves.read(tmp_path))


def test_curves_with_a_huge_cell(tmp_path: Path) -> None:
    (tmp_path / curves.FILE).write_text("epoch,val_loss\n1," + "5" * 200_000 + "\n")
    assert "curves" in line(lambda: curves.read(tmp_path))


def test_features_of_an_impossible_shape_are_computed_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    array = np.ones((2, 3), np.float32)
    cache = FeatureCache(1.0, tmp_path)
    cache.get({"a": "b"}, 2, lambda: [array])
    (file,) = tmp_path.glob("*.features")
    checksummed_file.write(
        file, {"known_by": {"a": "b"}, "shape": [1e308, 1e308]}, [array.tobytes()]
    )
    assert np.array_equal(cache.get({"a": "b"}, 2, lambda: [array]), array)
    assert "are computed anew" in capsys.readouterr().err


def test_a_checkpoint_of_nothing_is_cleared_away(here: Path) -> None:
    first = resume.Resume("fine_tune", {"a": "b"}, minutes=1, folder=here / "r")
    about = {"depends_on": None, "workspace": resume._workspace()}
    checksummed_file.write(first._path, about, [b"x"])
    assert resume.Resume("fine_tune", {"a": "c"}, minutes=1, folder=here / "r").read() is None
    assert list((here / "r").iterdir()) == []


def test_control_characters_in_a_header_of_weights(tmp_path: Path) -> None:
    data = save({"validation": torch.ones(2, 2)}).replace(b"F32", b"\\u0000\x1b"[:3])
    (tmp_path / REFIT).write_bytes(data.replace(b'"F', b'"\x7f'))
    damaged = save({"validation": torch.ones(2, 2)}).replace(b'"F32"', b'"\\u0"')
    for content in (data, damaged, save({"a": torch.ones(1)}).replace(b'"F32"', b'"\xe2\x80\xae"')):
        (tmp_path / REFIT).write_bytes(content)
        line(lambda: Refit.read(tmp_path))


def test_a_network_that_cannot_run_is_one_line(tmp_path: Path) -> None:
    folder = colours.write(tmp_path / "model")
    whole = (folder / "model.onnx").read_bytes()
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    for old, new in ((b"Softmax", b"Softmux"), (b"probabilities", b"probabil\nties")):
        (folder / "model.onnx").write_bytes(whole.replace(old, new, 1))
        line(lambda: list(predict([str(tmp_path / "a.png")], Predictor(folder))))
    (folder / "model.onnx").write_bytes(whole.replace(b"N", b"\xff"))
    line(lambda: list(predict([str(tmp_path / "a.png")], Predictor(folder))))


def test_what_fails_while_a_network_runs_is_one_line(tmp_path: Path) -> None:
    network = ort_session.session(colours.write(tmp_path, size_px=8) / "model.onnx", 1)

    def run() -> None:
        with ort_session.running(tmp_path / "model.onnx"):
            ort_session.predict(network, np.zeros((1, 9, 9, 3), np.uint8))

    assert "not a network that ONNX Runtime" in line(run)


def test_a_large_tiff_whose_directory_lies_nowhere() -> None:
    assert objection(b"II+\0\x08\0\0\0" + b"\xff" * 24) is None


def test_weights_beside_a_card_are_named_on_one_line(tmp_path: Path) -> None:
    from thawline.models import checkpoint
    from thawline.models.network import build

    card = json.loads((colours.write(tmp_path) / "model.json").read_text())
    del card
    network = build("resnet", "resnet18", num_classes=2, dropout=0.0, seed=0)
    whole = checkpoint.ModelConfig(
        family="resnet", name="resnet18", dropout=0.0, classes=("a", "b"), image_size_px=32,
        fit="crop", background=(0, 0, 0), mean=(0.5,) * 3, std=(0.2,) * 3,
    )  # fmt: skip
    checkpoint.save(tmp_path, network, whole)
    data = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(data.replace(b'"F32"', b'"\\u0"', 1))
    line(lambda: checkpoint.load(tmp_path))
