"""A head that reads several blocks, in the files that are exported."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from thawline.compress import classifier
from thawline.compress.export import export
from thawline.compress.quantize import quantize
from thawline.cost.ort_session import predict, session
from thawline.models.multilevel import Level, read_levels

SIZE, CLASSES = 16, 3
BLOCKS = {"one": (3, 8), "two": (8, 8), "three": (8, 8)}


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    for name, (before, after) in BLOCKS.items():
        blocks[name] = nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.ReLU())
    blocks["head"] = nn.Sequential(nn.Flatten(), nn.Linear(8, CLASSES))
    levels = [Level(block="two", grid=2), Level(block="three", grid=2)]
    made = read_levels(nn.Sequential(blocks), levels, num_features=64, num_classes=CLASSES)
    standardise, classifier = made[-1]
    standardise.mean.uniform_(-1, 1)
    standardise.inverse_std.uniform_(0.5, 2)
    nn.init.normal_(classifier.weight)
    nn.init.normal_(classifier.bias)  # the exporter leaves out one of zeros
    return made.eval()


def test_features_are_not_rounded_on_their_way_to_the_logits(
    network: nn.Sequential, tmp_path: Path
) -> None:
    """One range for all levels would leave the narrower ones a few of its 256 steps."""
    file, small = tmp_path / "model.onnx", tmp_path / "model.int8.onnx"
    export(network, file, image_size_px=SIZE, mean=(0.5,) * 3, std=(0.25,) * 3)
    images = np.random.default_rng(0).integers(0, 256, (32, SIZE, SIZE, 3), dtype=np.uint8)
    quantize(file, small, [images], method="minmax")
    graph = onnx.load(small).graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    joined = [node for node in graph.node if node.op_type == "Concat"]
    assert joined
    for node in joined:
        assert "DequantizeLinear" not in [made_by.get(name) for name in node.input]
    for node in graph.node:
        if node.op_type in ("Mul", "Sub"):
            assert "DequantizeLinear" not in [made_by.get(name) for name in node.input]
    found, expected = predict(session(small, 1), images), predict(session(file, 1), images)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9


@pytest.mark.parametrize(("share", "quantized"), [(0.0, 2), (0.67, 1), (1.0, 0)])
def test_the_first_convolutions_may_stay_in_float(
    network: nn.Sequential, tmp_path: Path, share: float, quantized: int
) -> None:
    file, small = tmp_path / "model.onnx", tmp_path / "model.int8.onnx"
    export(network, file, image_size_px=SIZE, mean=(0.5,) * 3, std=(0.25,) * 3)
    images = np.random.default_rng(0).integers(0, 256, (32, SIZE, SIZE, 3), dtype=np.uint8)
    quantize(file, small, [images], method="minmax", float_share=share)
    graph = onnx.load(small).graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    whole = [
        node
        for node in graph.node
        if node.op_type == "Conv" and made_by.get(node.input[1]) == "DequantizeLinear"
    ]
    assert len(whole) == quantized


def test_a_new_classifier_leaves_what_lies_before_it(
    network: nn.Sequential, tmp_path: Path
) -> None:
    """The int8 file is the one that a new export would have given."""
    folder, again = tmp_path / "one", tmp_path / "two"
    images = np.random.default_rng(0).integers(0, 256, (32, SIZE, SIZE, 3), dtype=np.uint8)

    def make(where: Path) -> list[Path]:
        where.mkdir()
        files = [where / "model.onnx", where / "model.int8.onnx"]
        export(network, files[0], image_size_px=SIZE, mean=(0.5,) * 3, std=(0.25,) * 3)
        quantize(files[0], files[1], [images], method="minmax")
        return files

    files = make(folder)
    with torch.no_grad():
        network[-1][1].weight.neg_().mul_(2)
        network[-1][0].mean.add_(0.5)
    assert classifier.replace(files, network)
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in make(again)]


def test_a_file_with_another_head_is_left_and_named(
    network: nn.Sequential, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.onnx"
    export(network, file, image_size_px=SIZE, mean=(0.5,) * 3, std=(0.25,) * 3)
    before = file.read_bytes()
    network[-1] = nn.Sequential(network[-1][0], nn.Linear(64, CLASSES, bias=False))
    assert not classifier.replace([file], network)
    assert file.read_bytes() == before
    assert "its classifier stays" in capsys.readouterr().err
