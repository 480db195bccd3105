"""The model as MLflow serves it: encoded images in, class probabilities out.

MLflow runs this file by itself (models from code), beside a copy of `thawline/data/decode.py` under
the name `thawline_decode`; nothing of the project need be importable.
"""

import base64
import binascii
import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnxruntime
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from thawline_decode import fit, picture  # type: ignore[import-not-found]

_INPUT = "image"
_MAX_IMAGES = 1000
_BATCH = 64


class ImageClassifier(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Takes one column `image` of image files, bytes or base64; gives a column per class."""

    def load_context(self, context: Any) -> None:
        card = json.loads(Path(context.artifacts["card"]).read_text(encoding="utf-8"))
        self._classes: list[str] = card["classes"]
        self._size_px: int = card["image_size_px"]
        self._fit: str = card["fit"]
        self._background = tuple(card["background"])
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(
            context.artifacts["network"], providers=providers
        )

    # Without annotations: MLflow would read a schema from them and warn.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """Probabilities, float (N, K), columns named after the classes.

        Raises:
            MlflowException: INVALID_PARAMETER_VALUE, with the row and what is wrong with it.
        """
        images = _column(model_input)
        if not 0 < len(images) <= _MAX_IMAGES:
            raise _Refusal(f"{len(images)} images; between 1 and {_MAX_IMAGES} are allowed")
        rows = [self._predict(images[i : i + _BATCH], i) for i in range(0, len(images), _BATCH)]
        return pd.DataFrame(np.concatenate(rows), columns=self._classes)

    def _predict(self, images: list[Any], first: int) -> np.ndarray:
        pixels = np.stack([self._pixels(image, first + i) for i, image in enumerate(images)])
        name = self._session.get_inputs()[0].name
        return np.asarray(self._session.run(None, {name: pixels})[0], dtype=np.float64)

    def _pixels(self, image: Any, row: int) -> np.ndarray:
        """uint8 (S, S, 3)."""
        try:
            opened = picture(_encoded(image), self._size_px, self._fit, self._background)
            return np.asarray(fit(opened.image, self._size_px, self._fit, self._background))
        except ValueError as error:
            raise _Refusal(f"image {row}: {error}") from None


def _column(model_input: Any) -> list[Any]:
    """The images of a frame, a column by itself, or MLflow's `inputs` with or without name."""
    if isinstance(model_input, pd.DataFrame | dict):
        named = _INPUT if _INPUT in model_input else next(iter(model_input), _INPUT)
        model_input = model_input[named]
    cells = list(model_input) if isinstance(model_input, pd.Series | list) else [model_input]
    nested = [
        list(cell) if isinstance(cell, list | tuple | np.ndarray) else [cell] for cell in cells
    ]
    return [image for row in nested for image in row]


def _encoded(image: Any) -> bytes:
    """The file's bytes. Text is base64 and nothing else: an address is never fetched."""
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if not isinstance(image, str):
        raise ValueError(f"{type(image).__name__} where base64 text of an image file is expected")
    try:
        return base64.b64decode("".join(image.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64 text of an image file; addresses are not fetched") from None


class _Refusal(MlflowException):  # type: ignore[misc]
    """Answered as 400; any other exception would be a 500 with a stack trace.

    Keeps the message it has: MLflow's server would put the whole request before it, images and all.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, error_code=INVALID_PARAMETER_VALUE)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "message" or "message" not in self.__dict__:
            super().__setattr__(name, value)


mlflow.models.set_model(ImageClassifier())
