"""Quantise an ONNX file after training, so that its layers compute in 8-bit integers.

B. Jacob et al., 2018, "Quantization and training of neural networks for efficient
integer-arithmetic-only inference". ONNX Runtime does the work; weights have a scale per channel,
activations one per tensor, from the range they have on training images.
"""

import io
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime import quantization
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from thawline.compress.strip_onnx import write
from thawline.cost.ort_session import INPUT, OUTPUT, predict, session
from thawline.errors import UserError

Method = Literal["minmax", "entropy", "percentile"]
Batches = Iterable[NDArray[np.uint8]]
_METHODS = {
    "minmax": quantization.CalibrationMethod.MinMax,
    "entropy": quantization.CalibrationMethod.Entropy,
    "percentile": quantization.CalibrationMethod.Percentile,
}
_OPERATORS = (
    "Conv", "Gemm", "MatMul", "Add", "Mul", "Concat", "GlobalAveragePool", "AveragePool",
    "MaxPool", "Relu", "Clip", "LeakyRelu", "Sigmoid",
)  # fmt: skip
"""Operators to quantise: not Softmax, and not Sub and Div, which normalise the pixels."""


_PASSED = ("Concat", "Mul", "GlobalAveragePool", "AveragePool")
"""Operators that may be between the last maps and the logits; others are of the body."""
_OF_FEATURES = ("Concat", "Mul", "Sub", "AveragePool")
"""Operators that average, join and scale what a classifier reads of several maps: one range for all
of them would be too wide for most."""


def quantize(
    source: Path, target: Path, images: Batches, *, method: Method, float_share: float = 0.0
) -> int:
    """Write an int8 form of an exported network; equal arguments give equal bytes.

    Normalisation, the first convolution, the layer that gives the logits and softmax stay in
    float32: they cost little, and what the first convolution loses of the pixels is lost to all
    (with it in int8 tf_efficientnet_lite0 fell from 99.3 to 97.5 % on digits, without to 98.9).

    Weights get 7 bits: with 8, processors without VNNI let sums of two products saturate at 16
    bits, so that the file would answer differently on another machine (96.4 instead of 97.1 % of
    the digits' validation rows right on one with AVX2).

    Args:
        source: an ONNX file from pixels to probabilities, as `export` writes it.
        target: file to write.
        images: batches from training rows, uint8 (B, S, S, 3) each, RGB.
        method: rule by which ranges follow from activations. `minmax` takes all of them; `entropy`
            and `percentile` cut outliers off, and keep every activation of all images in memory.
        float_share: share of the convolutions, the first ones, which stay in float32.

    Returns:
        Number of convolutions in float32, the first one included.

    Raises:
        UserError: ONNX Runtime cannot quantise the network.
    """
    model = onnx.load(source)
    outer = _first_and_last(model.graph) + _between_maps_and_logits(model.graph)
    convolutions = [str(node.name) for node in model.graph.node if node.op_type == "Conv"]
    floats = max(1, round(float_share * len(convolutions)))
    outer += convolutions[:floats]
    add_pre_process_metadata(model)  # else ONNX Runtime advises to fold what PyTorch has folded
    with tempfile.TemporaryDirectory() as scratch:
        prepared, made = Path(scratch) / "prepared.onnx", Path(scratch) / "quantized.onnx"
        onnx.save(model, prepared)
        try:
            with redirect_stdout(io.StringIO()):
                quantization.quantize_static(
                    prepared,
                    made,
                    _Calibration(images),
                    quant_format=quantization.QuantFormat.QDQ,
                    op_types_to_quantize=list(_OPERATORS),
                    nodes_to_exclude=outer,
                    per_channel=True,
                    reduce_range=True,
                    activation_type=quantization.QuantType.QUInt8,
                    weight_type=quantization.QuantType.QInt8,
                    calibrate_method=_METHODS[method],
                )
        except Exception as error:  # it raises whatever its parts raise
            reason = " ".join(str(error).split())[:160]
            raise UserError(f"{source.name}: cannot be quantised: {reason}") from error
        write(onnx.load(made), target)
    return floats


@dataclass(frozen=True, kw_only=True)
class Int8Check:
    """Comparison of an int8 file with the float one, on the same labelled images."""

    num_images: int
    agreement: float
    """Share of the images for which both name the same class."""
    accuracy: float
    """Accuracy of the int8 file, in [0, 1]."""
    drop: float
    """Accuracy of the float file minus that of the int8 file; below 0 where int8 is better."""


def compare(
    quantized: Path, source: Path, images: Batches, labels: NDArray[np.int64], *, threads: int
) -> Int8Check:
    """Compare the int8 file with the float one on the same validation rows.

    Batches of `images` are uint8 (B, S, S, 3), `labels` int64 (N,), N >= 1.
    """
    small, large = session(quantized, threads), session(source, threads)
    pairs = [(predict(small, batch), predict(large, batch)) for batch in images]
    found, expected = (np.concatenate(part).argmax(axis=1) for part in zip(*pairs, strict=True))
    accuracy = float((found == labels).mean())
    return Int8Check(
        num_images=len(labels),
        agreement=float((found == expected).mean()),
        accuracy=accuracy,
        drop=float((expected == labels).mean()) - accuracy,
    )


class _Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images: Batches) -> None:
        self._images: Iterator[NDArray[np.uint8]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self._images, None)
        return None if batch is None else {INPUT: batch}


def _first_and_last(graph: onnx.GraphProto) -> list[str]:
    """Name the first convolution, and the layer with weights that is nearest to the output."""
    first = next((str(node.name) for node in graph.node if node.op_type == "Conv"), None)
    return [name for name in (first, _logits_layer(graph)) if name]


def _between_maps_and_logits(graph: onnx.GraphProto) -> list[str]:
    """Name what joins and scales features: between the logits and the last layer of the body."""
    made_by = {name: node for node in graph.node for name in node.output}
    layer = _logits_layer(graph)
    ahead = [node for node in graph.node if node.name == layer]
    found = dict[str, None]()
    while ahead:
        for name in ahead.pop().input:
            node = made_by.get(name)
            if node is None or (node.op_type in _OPERATORS and node.op_type not in _PASSED):
                continue
            if node.op_type in _OF_FEATURES:
                found[str(node.name)] = None
            ahead.append(node)
    return list(found)


def _logits_layer(graph: onnx.GraphProto) -> str | None:
    made_by = {name: node for node in graph.node for name in node.output}
    at = made_by[OUTPUT]
    while at.op_type not in ("Gemm", "MatMul", "Conv"):
        before = [made_by[name] for name in at.input if name in made_by]
        if not before:
            return None
        at = before[0]
    return str(at.name)
