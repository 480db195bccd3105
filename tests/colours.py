"""A network that tells colours apart, as the pipeline's models lie in a folder; made in no time."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from thawline.dataset.image_store import StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.ingest.decided import Decided, DecidedValue

CLASSES = ("red", "green", "blue")


def write(
    folder: Path,
    *,
    scale: float = 1 / 32,
    bias: Sequence[float] = (0, 0, 0),
    classes: Sequence[str] = CLASSES,
    size_px: int = 64,
) -> Path:
    """model.onnx and model.json: softmax(scale * mean of each colour + bias)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(_network(scale, bias, size_px).SerializeToString())
    card = {"classes": list(classes), "image_size_px": size_px}
    card |= {"fit": "stretch", "background": [0, 0, 0]}
    (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def _network(scale: float, bias: Sequence[float], size_px: int) -> onnx.ModelProto:
    constants = [
        numpy_helper.from_array(np.array([1, 2], dtype=np.int64), "axes"),
        numpy_helper.from_array(np.array(scale, dtype=np.float32), "scale"),
        numpy_helper.from_array(np.array(bias, dtype=np.float32), "bias"),
    ]
    nodes = [
        helper.make_node("Cast", ["images"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "axes"], ["means"], keepdims=0),
        helper.make_node("Mul", ["means", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    shape = ["N", size_px, size_px, 3]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, shape)
    out = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 3])
    graph = helper.make_graph(nodes, "colours", [images], [out], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    return model


def write_images(
    folder: Path,
    splits: Sequence[str],
    *,
    seed: int = 0,
    groups: Sequence[str | None] | None = None,
) -> Manifest:
    """Pack images of 16 px, each of one colour, its class the strongest of the three."""
    pixels = np.random.default_rng(seed).integers(0, 256, (len(splits), 3), dtype=np.uint8)
    with StoreWriter(folder, 16) as writer:
        for colour in pixels:
            writer.append(np.broadcast_to(colour, (16, 16, 3)).copy())
    manifest = Manifest(
        classes=CLASSES,
        labels=pixels.argmax(axis=1).astype(np.int64),
        splits=np.array(splits),
        sha256=tuple(hashlib.sha256(colour.tobytes()).hexdigest() for colour in pixels),
        names=tuple(f"{row}.png" for row in range(len(splits))),
        groups=tuple(groups or [None] * len(splits)),
        widths=np.full(len(splits), 16),
        heights=np.full(len(splits), 16),
    )
    manifest.write(folder)
    decided(16, "stretch").write(folder)
    return manifest


def decided(image_size_px: int, fit: str) -> Decided:
    """Make up what ingest wrote of images that were packed so, beside black."""
    values = {"image_size_px": image_size_px, "fit": fit, "background": (0, 0, 0)}
    values["near_duplicate_distance"] = None
    return Decided({k: DecidedValue(value=v, auto=False, reason="") for k, v in values.items()})
