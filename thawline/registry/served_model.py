"""Serve the model under MLflow: encoded images in, class probabilities out.

MLflow runs this file by itself (models from code), beside copies of what it imports as
`thawline_...`; nothing of the project need be importable.
"""

import json
import threading
import traceback
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnxruntime
import pandas as pd
from thawline_answers import Failure, Refusal, install, trim  # type: ignore[import-not-found]
from thawline_decode import fit, picture  # type: ignore[import-not-found]
from thawline_images import encoded, listed, size_px  # type: ignore[import-not-found]

_MAX_IMAGES = 1000
_MAX_PIXELS = 500_000_000
"""Pixels of all images of a request, those of slow formats counted 40 times: some 20 s of
decoding."""
_LARGE_PX = 16_000_000
"""Decoded one at a time, whatever the number of clients: each may take hundreds of megabytes."""
_MAX_BATCH, _BATCH_PX = 64, 2**17
"""Images of a run of the network, and their pixels: ONNX Runtime keeps what the largest took."""
_TRIMMED_PX = 4_000_000

_one_at_a_time = threading.Lock()


class ImageClassifier(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Classifier of one column `image`: files as bytes, base64 or data URIs, or pixels.

    Pixels are arrays (H, W, 3), (H, W, 1) or (H, W) of 0 to 255. Gives a column per class.
    """

    def load_context(self, context: Any) -> None:
        card = json.loads(Path(context.artifacts["card"]).read_text(encoding="utf-8"))
        self._classes: list[str] = card["classes"]
        self._size_px: int = card["image_size_px"]
        self._fit: str = card["fit"]
        self._background = tuple(card["background"])
        self._batch = max(1, min(_MAX_BATCH, _BATCH_PX // self._size_px**2))
        self._bit_depth: int = card.get("bit_depth", 16)
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(
            context.artifacts["network"], providers=providers
        )
        install()

    # Without annotations: MLflow would read a schema from them and warn.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """Predict probabilities, float (N, K), columns named after the classes.

        Raises:
            MlflowException: INVALID_PARAMETER_VALUE, with the row and what is wrong with it;
                INTERNAL_ERROR for any fault of ours.
        """
        request = _Request()
        try:
            images = listed(model_input)
            if not 0 < len(images) <= _MAX_IMAGES:
                raise Refusal(f"{len(images)} images; between 1 and {_MAX_IMAGES} are allowed")
            starts = range(0, len(images), self._batch)
            rows = [self._predict(images[i : i + self._batch], i, request) for i in starts]
            return pd.DataFrame(np.concatenate(rows), columns=self._classes)
        except Refusal:
            raise
        except Exception as error:
            traceback.print_exc()
            raise Failure(
                f"the model failed ({type(error).__name__}); see the server's log"
            ) from None
        finally:
            request.end()

    def _predict(self, images: list[Any], first: int, request: "_Request") -> np.ndarray:
        pixels = np.stack([self._pixels(x, first + i, request) for i, x in enumerate(images)])
        name = self._session.get_inputs()[0].name
        return np.asarray(self._session.run(None, {name: pixels})[0], dtype=np.float64)

    def _pixels(self, image: Any, row: int, request: "_Request") -> np.ndarray:
        """Decode an image to a square, uint8 (S, S, 3)."""
        try:
            data = encoded(image)
            with request.taking(size_px(data)):
                opened = picture(data, self._size_px, self._fit, self._background, self._bit_depth)
                return np.asarray(fit(opened.image, self._size_px, self._fit, self._background))
        except ValueError as error:
            raise Refusal(f"image {row}: {error}") from None


class _Request:
    """Total size of the images of one request, in pixels."""

    def __init__(self) -> None:
        self._taken = 0

    def taking(self, count: int) -> AbstractContextManager[Any]:
        """Count an image before it is decoded, and wait for other large ones.

        Raises:
            ValueError: it is too much.
        """
        self._taken += count
        if self._taken > _MAX_PIXELS:
            raise ValueError(
                f"with it the request has more than {_MAX_PIXELS} pixels; send fewer images, or "
                "smaller ones, at a time (a pixel of a PPM as text or of odd depth and of a "
                "run-length BMP counts as 40)"
            )
        return _one_at_a_time if count > _LARGE_PX else nullcontext()

    def end(self) -> None:
        if self._taken > _TRIMMED_PX:
            trim()


mlflow.models.set_model(ImageClassifier())
