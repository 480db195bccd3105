"""The libraries that the stages of the default run use."""

import importlib
from collections.abc import Iterable, Iterator
from contextlib import suppress

_COMMON = (
    "filelock", "psutil", "pydantic", "ruamel.yaml", "rich.console", "rich.progress", "numpy",
    "cv2", "PIL.Image", "pyarrow.compute", "pyarrow.parquet",
)  # fmt: skip
_FIGURES = ("matplotlib.figure", "matplotlib.backends.backend_agg")
_NETWORKS = (
    "torch", "torch._dynamo", "torch.optim", "torch.utils.data", "torch.utils.flop_counter",
    "torchvision.models", "torchvision.transforms.v2", "safetensors.torch",
    "timm.models.efficientnet",
)  # fmt: skip
_EXPORT = ("torch.export._trace", "torch.onnx._internal.exporter._compat", "onnxscript.optimizer")
_AUGMENT = "thawline.augment._transforms"
"""Albumentations in our way, which keeps it from loading PyTorch; a fork's own views are loaded
anew."""
LIBRARIES: dict[str, tuple[str, ...]] = {
    "ingest": (*_COMMON, "PIL.ImageCms", "PIL.ImageOps", "sklearn.datasets"),
    "pictures": (*_COMMON, *_FIGURES),
    "rebalance": (*_COMMON, "imblearn.over_sampling", "imblearn.under_sampling"),
    "augment": (*_COMMON, _AUGMENT),
    "transfer_learn": (*_COMMON, _AUGMENT, *_NETWORKS),
    "fine_tune": (*_COMMON, _AUGMENT, *_NETWORKS),
    "compress": (*_COMMON, *_NETWORKS, "onnx", "onnxruntime.quantization", *_EXPORT),
    "evaluate": (
        *_COMMON, *_FIGURES, *_NETWORKS, "scipy.optimize", "scipy.stats", "sklearn.metrics",
        "jinja2", "rich.table", "rich.text", "captum.attr", "cleanlab.filter",
    ),
}  # fmt: skip
"""Loading one must start no thread that computes, or a fork would hang. A stage that is forked
before its libraries are there loads the rest itself, so one that is missing here costs time only.
"""


def steps(first: str, beside: Iterable[str]) -> Iterator[None]:
    """Load a stage's libraries, then one by one what the stages after it use; yields between.

    Args:
        first: the stage; empty to load nothing of any.
        beside: modules of the process beside each stage, loaded with the first one's.
    """
    stages = list(LIBRARIES)
    later = stages[stages.index(first) :] if first in stages else stages
    for module in (*LIBRARIES[later[0]], *beside) if first else beside:
        _load(module)
    later = later if first else []
    for stage in later:
        for module in LIBRARIES[stage]:
            yield
            _load(module)


def _load(module: str) -> None:
    with suppress(Exception):  # the stage that needs it will say what is wrong
        importlib.import_module(module)
