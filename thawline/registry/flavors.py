"""Save a model with two of MLflow's flavors: ours, which takes images, and ONNX beside it.

MLflow saves a model with one flavor at a time; a module with a `save_model` of its own is how it
lets others be added (its docs, "custom flavors").
"""

import importlib.metadata
from pathlib import Path
from typing import Any

import mlflow
from mlflow.models import Model

NETWORK = "network"
"""Artifact that is the ONNX file."""


def save_model(path: str, mlflow_model: Model, artifacts: dict[str, str], **options: Any) -> None:
    """Save as `mlflow.pyfunc` does, and add where `mlflow.onnx.load_model` finds the network.

    Args:
        path: a new folder.
        mlflow_model: the model's configuration, which gets the flavor.
        artifacts: name to file; NETWORK among them.
        **options: as of `mlflow.pyfunc.save_model`.
    """
    mlflow_model.add_flavor(
        "onnx",
        onnx_version=importlib.metadata.version("onnx"),
        data=f"artifacts/{Path(artifacts[NETWORK]).name}",
        providers=["CPUExecutionProvider"],
        onnx_session_options=None,
    )
    mlflow.pyfunc.save_model(path, mlflow_model=mlflow_model, artifacts=artifacts, **options)
