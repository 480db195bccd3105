"""The model as MLflow serves it: encoded images in, class probabilities out.

MLflow runs this file by itself (models from code), beside a copy of `thawline/data/decode.py` and
what that needs, the package `thawline_decode`; nothing of the project need be importable.
"""

import base64
import binascii
import io
import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnxruntime
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from PIL import Image
from thawline_decode import fit, picture  # type: ignore[import-not-found]

_INPUT = "image"
_MAX_IMAGES = 1000
_BATCH = 64


class ImageClassifier(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Takes one column `image`: files as bytes or base64, or pixels as arrays (H, W, 3) or (H, W)
    of 0 to 255. Gives a column per class."""

    def load_context(self, context: Any) -> None:
        card = json.loads(Path(context.artifacts["card"]).read_text(encoding="utf-8"))
        self._classes: list[str] = card["classes"]
        self._size_px: int = card["image_size_px"]
        self._fit: str = card["fit"]
        self._background = tuple(card["background"])
        self._bit_depth: int = card.get("bit_depth", 16)
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
            encoded = _from_pixels(image) if _is_pixels(image) else _encoded(image)
            opened = picture(encoded, self._size_px, self._fit, self._background, self._bit_depth)
            return np.asarray(fit(opened.image, self._size_px, self._fit, self._background))
        except ValueError as error:
            raise _Refusal(f"image {row}: {error}") from None


def _column(model_input: Any) -> list[Any]:
    """The images of a frame, a column by itself, or MLflow's `inputs` with or without name."""
    if isinstance(model_input, pd.DataFrame | dict):
        named = _INPUT if _INPUT in model_input else next(iter(model_input), _INPUT)
        model_input = model_input[named]
    if isinstance(model_input, np.ndarray):
        model_input = list(model_input) if model_input.ndim in (1, 4) else [model_input]
    cells = list(model_input) if isinstance(model_input, pd.Series | list) else [model_input]
    nested = [
        list(cell)
        if isinstance(cell, list | tuple | np.ndarray) and not _is_pixels(cell)
        else [cell]
        for cell in cells
    ]
    return [image for row in nested for image in row]


def _is_pixels(image: Any) -> bool:
    """Whether it is one image of numbers: rows of numbers, or of triples of them."""
    for _ in range(2):
        if not isinstance(image, list | tuple | np.ndarray) or not len(image):
            return False
        image = image[0]
    if isinstance(image, list | tuple | np.ndarray):
        return len(image) > 0 and isinstance(image[0], int | float | np.number)
    return isinstance(image, int | float | np.number)


def _from_pixels(image: Any) -> bytes:
    """As a PNG, so that it goes the way of every other image; nothing is lost."""
    try:
        array = np.asarray(image)
    except ValueError:
        raise ValueError("rows of pixels of different lengths") from None
    if array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 255:
        raise ValueError("pixels must be whole numbers from 0 to 255")
    if array.ndim == 3 and array.shape[2] != 3:
        raise ValueError(f"pixels of shape {array.shape}; expected (H, W, 3) or (H, W)")
    buffer = io.BytesIO()
    Image.fromarray(array.astype(np.uint8)).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


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
