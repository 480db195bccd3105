from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnxruntime import InferenceSession

from thawline.compress import int8, summary
from thawline.compress.quantize import compare, quantize
from thawline.compress.strip_onnx import write
from thawline.cost.ort_session import INPUT, INT8_FILE, predict, session
from thawline.errors import UserError

SIZE, CLASSES = 16, 3
PIXELS = (
    ("Transpose", ("images",), {"perm": [0, 3, 1, 2]}),
    ("Cast", ("Transpose",), {"to": onnx.TensorProto.FLOAT}),
    ("Sub", ("Cast", "mean"), {}),
    ("Div", ("Sub", "std"), {}),
    ("Conv", ("Div", "stem"), {"pads": [1, 1, 1, 1]}),
    ("Relu", ("Conv",), {}),
)


def layers(convolutions: int) -> list[tuple[str, tuple[str, ...], dict[str, object]]]:
    """Of a network that has as many more convolutions behind its first."""
    found: list[tuple[str, tuple[str, ...], dict[str, object]]] = [*PIXELS]
    last = "Relu"
    for number in range(2, convolutions + 2):
        found.append(("Conv", (last, "filters"), {"pads": [1, 1, 1, 1]}))
        found.append(("Relu", (f"Conv{number}",), {}))
        last = f"Relu{number}"
    found.append(("GlobalAveragePool", (last,), {}))
    found.append(("Flatten", ("GlobalAveragePool",), {}))
    return [*found, ("Gemm", ("Flatten", "weights"), {"transB": 1})]


def images(num_images: int = 48) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (num_images, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return made(tmp_path / "model.onnx")


def made(target: Path, convolutions: int = 1) -> Path:
    """A network as `export` writes it, made by hand since tracing one takes seconds."""
    rng = np.random.default_rng(0)
    values = {
        "mean": np.full((1, 3, 1, 1), 127.5),
        "std": np.full((1, 3, 1, 1), 64.0),
        "stem": rng.normal(size=(8, 3, 3, 3)),
        "filters": rng.normal(size=(8, 8, 3, 3)),
        "weights": rng.normal(size=(CLASSES, 8)),
    }
    nodes, names = [], []
    for kind, at, more in layers(convolutions):
        before = sum(name.startswith(kind) for name in names)
        names.append(f"{kind}{before + 1}" if before else kind)
        nodes.append(helper.make_node(kind, at, [names[-1]], names[-1], **more))
    nodes.append(helper.make_node("Softmax", ["Gemm"], ["probabilities"], "Softmax", axis=1))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("images", onnx.TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, ["N", CLASSES])],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    write(model, target)
    return target


def quantized(file: Path, method: str = "minmax", name: str = "q.onnx") -> Path:
    target = file.with_name(name)
    quantize(file, target, [images()[:24], images()[24:]], method=method)
    return target


@pytest.mark.parametrize("method", ["minmax", "entropy", "percentile"])
def test_an_int8_file_says_nearly_what_the_float_file_says(file: Path, method: str) -> None:
    expected = predict(session(file, 1), images())
    found = predict(session(quantized(file, method), 1), images())
    assert 0 < np.abs(found - expected).max() < 0.3
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.85


def test_convolutions_are_integers_and_what_decides_is_float(file: Path) -> None:
    graph = onnx.load(quantized(file)).graph
    made_by = {name: node for node in graph.node for name in node.output}
    kinds = {
        node.name: [made_by[n].op_type for n in node.input if n in made_by] for node in graph.node
    }
    assert kinds["Conv2"] == ["DequantizeLinear", "DequantizeLinear"]
    assert "DequantizeLinear" not in kinds["Conv"]
    assert kinds["Softmax"] == ["Gemm"]
    assert "DequantizeLinear" not in kinds["Sub"] + kinds["Div"]
    held = {tensor.name: tensor for tensor in graph.initializer}
    assert held["weights"].data_type == onnx.TensorProto.FLOAT
    filters = numpy_helper.to_array(held["filters_quantized"])
    assert filters.dtype == np.int8
    assert 32 < np.abs(filters).max() <= 64
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8


def test_equal_arguments_give_equal_bytes_that_name_no_place(file: Path) -> None:
    first, second = quantized(file), quantized(file, name="again.onnx")
    assert first.read_bytes() == second.read_bytes()
    for part in (b"tmp", b"onnx.quantize", b"onnxruntime"):
        assert part not in first.read_bytes()


def test_a_comparison_counts_agreement_and_what_is_lost(file: Path) -> None:
    guesses = predict(session(file, 1), images()).argmax(axis=1)
    same = compare(file, file, [images()], guesses, threads=1)
    assert (same.num_images, same.agreement, same.accuracy, same.drop) == (48, 1, 1, 0)
    other = compare(quantized(file), file, [images()], guesses, threads=1)
    assert other.agreement == other.accuracy == pytest.approx(1 - other.drop)


def test_without_images_there_is_nothing_to_quantise_by(file: Path) -> None:
    with pytest.raises(UserError, match=r"model\.onnx: cannot be quantised: "):
        quantize(file, file.with_name("q.onnx"), [], method="minmax")


class Rows:
    """Stands for manifest and store: notes which rows are looked at."""

    labels = np.arange(48) % CLASSES

    def __init__(self) -> None:
        self.seen: list[int] = []

    def rows(self, split: str) -> np.ndarray:
        return {"train": np.arange(24), "val": np.arange(24, 36)}[split]

    def batches(self, rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
        self.seen += rows.tolist()
        return [images()[rows]] if len(rows) else []


def added(
    file: Path, rows: Rows, max_drop: float, calibration_images: int = 8
) -> dict[str, object]:
    return int8.add(
        file, rows, rows, calibration_images=calibration_images, method="minmax",
        max_drop=max_drop, seed=0, threads=1,
    )  # fmt: skip


def test_training_rows_set_the_ranges_and_validation_rows_judge(file: Path) -> None:
    rows = Rows()
    metrics = added(file, rows, max_drop=1.0)
    assert set(rows.seen[:8]) < set(range(24))
    assert rows.seen[:8] == sorted(set(rows.seen[:8]))
    assert rows.seen[8:] == list(range(24, 36))
    assert metrics["kept"]
    assert metrics["size_mb"] == file.with_name(INT8_FILE).stat().st_size / 1e6


def test_where_classes_differ_the_first_convolutions_stay_float(tmp_path: Path) -> None:
    file, rows = made(tmp_path / "model.onnx", convolutions=10), Rows()
    _level_classes(file)
    metrics = added(file, rows, max_drop=1.0)
    assert float(str(metrics["agreement"])) < 0.95
    assert rows.seen == rows.seen[:20] * 2  # both were judged, by the same images
    assert metrics["kept"]


def test_what_loses_little_and_says_most_nearly_the_same_is_kept() -> None:
    lossy = {"kept": False, "agreement": 0.99, "drop": 0.02}
    usual = {"kept": True, "agreement": 0.85, "drop": 0.0}
    nearer = {"kept": True, "agreement": 0.93, "drop": 0.0}
    assert max(lossy, usual, nearer, key=int8.preference) == nearer
    assert max({**lossy, "drop": 0.04}, lossy, key=int8.preference) == lossy


def _level_classes(file: Path) -> None:
    """Change the classifier so that no class is likelier than another for most images."""
    model = onnx.load(file)
    model.graph.output.append(helper.make_empty_tensor_value_info("Flatten"))
    runtime = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    usual = runtime.run(["Flatten"], {INPUT: images()})[0].mean(axis=0)
    model.graph.output.pop()
    (weights,) = (tensor for tensor in model.graph.initializer if tensor.name == "weights")
    values = numpy_helper.to_array(weights)
    values = values - np.outer(values @ usual / (usual @ usual), usual)
    weights.CopyFrom(numpy_helper.from_array(values.astype(np.float32), "weights"))
    write(model, file)


def test_what_loses_too_much_is_not_kept_and_said_so(file: Path) -> None:
    metrics = added(file, Rows(), max_drop=-1.0)
    assert not metrics["kept"]
    assert not file.with_name(INT8_FILE).exists()
    told = summary.describe({"int8": metrics})["compress"]
    assert "not kept" in told
    assert "more than compress.quantize.max_drop allows" in told


def test_what_cannot_be_quantised_ends_without_a_file(file: Path) -> None:
    metrics = added(file, Rows(), max_drop=1.0, calibration_images=0)
    assert metrics == {"kept": False}
    assert "could not quantise" in summary.describe({"int8": metrics})["compress"]
    assert summary.describe({}) == {}
