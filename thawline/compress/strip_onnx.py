"""Write ONNX files whose bytes depend only on what a network computes, not where it was written."""

from pathlib import Path

import onnx

BATCH = "N"


def write(model: onnx.ModelProto, path: Path) -> None:
    """Write a network with one input and one output; equal networks give equal bytes."""
    path.write_bytes(_stripped(model).SerializeToString(deterministic=True))


def _stripped(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop all that says where and by what the file was made: paths, stack traces, versions."""
    model.producer_name, model.producer_version, model.doc_string = "thawline", "", ""
    graph = model.graph
    graph.name = "classifier"
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        if part is not model:
            part.ClearField("doc_string")
    graph.ClearField("value_info")
    for tensor in (graph.input[0], graph.output[0]):  # PyTorch may call the dimension "s34"
        tensor.type.tensor_type.shape.dim[0].dim_param = BATCH
    return model
