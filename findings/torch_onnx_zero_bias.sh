#!/usr/bin/env bash
# An ONNX export leaves out the bias of a layer whose values are all zero.
#
# Versions: Python 3.11, torch 2.14.1, onnx 1.23.2, onnxscript 0.7.2, onnx-ir 1.1.0, numpy 2.4.6.
#
# Behaviour: torch.onnx.export(dynamo=True) of a Linear or Conv2d layer with a bias. Where each value
# of the bias is zero, the file has neither the tensor nor the input of the node: which tensors the
# file has depends on the values of the weights and not on the network alone. With optimize=False
# the bias stays.
#
# Why it hurts: a tool that puts newly trained weights into an exported file by their names finds no
# place for the bias. A bias of zeros is common: many recipes start a head or a convolution with it,
# so the template exported before training has none. What such a file computes is right.
#
# Seen:
#   Linear, bias 0, default        ['weight']
#   Linear, bias 1, default        ['weight', 'bias']
#   Linear, bias 0, optimize=False ['weight', 'bias']
#   Conv2d, bias 0, default        ['weight']
#   Conv2d, bias 1, default        ['weight', 'bias']
#   Conv2d, bias 0, optimize=False ['weight', 'bias']
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export TMPDIR="$folder"  # torch leaves a folder behind there
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.14.1 onnx==1.23.2 onnxscript==0.7.2 onnx-ir==1.1.0 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys

import torch
from torch import nn

logging.disable(logging.WARNING)  # torch tells that torchvision is not there

LAYERS = {
    "Linear": (lambda: nn.Linear(4, 3), (2, 4)),
    "Conv2d": (lambda: nn.Conv2d(4, 3, 1), (2, 4, 5, 5)),
}


def exported(name, bias, optimize):
    """Names of the tensors in the file, and how many inputs its one node has."""
    build, shape = LAYERS[name]
    layer = build().eval()
    nn.init.constant_(layer.bias, bias)
    program = torch.onnx.export(
        layer, (torch.zeros(shape),), dynamo=True, verbose=False, optimize=optimize
    )
    graph = program.model_proto.graph
    (node,) = graph.node
    return [tensor.name for tensor in graph.initializer], len(node.input)


as_described = True
for name in LAYERS:
    for bias, optimize in ((0, True), (1, True), (0, False)):
        found, inputs = exported(name, bias, optimize)
        label = f"{name}, bias {bias}, {'default' if optimize else 'optimize=False'}"
        print(f"{label:30} {found}")
        expected = ["weight"] if optimize and bias == 0 else ["weight", "bias"]
        as_described &= found == expected and inputs == 1 + len(expected)
sys.exit(0 if as_described else "The behaviour is not as described.")
PYTHON
