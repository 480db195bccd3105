"""Predict the likeliest classes of files, in the order of the files."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from onnxruntime import InferenceSession

from thawline.cost import ort_session as onnx
from thawline.errors import UserError
from thawline.prediction.decoding import Batch, batches
from thawline.prediction.listing import Bad
from thawline.prediction.model import Predictor
from thawline.runtime.escape import escape


@dataclass(frozen=True, slots=True)
class Prediction:
    """Prediction for one file.

    Attributes:
        top: (class, probability), the likeliest first.
    """

    name: str
    top: tuple[tuple[str, float], ...]


def predict(
    files: Iterable[str | Bad], model: Predictor, *, top_k: int = 1, processes: int | None = None
) -> Iterator[Prediction | Bad]:
    """Predict batch by batch; the result is the same for any number of processes.

    Args:
        files: paths, and files that were found to be bad before.
        model: the model.
        top_k: classes per file, at most all of them.
        processes: processes that decode; by default one per core.

    Raises:
        UserError: the ONNX file is damaged, or gives another number of classes than model.json.
        ChildDiedError: a process that decodes was killed.
    """
    decoded = batches(files, model.geometry, processes)  # before ONNX Runtime starts threads
    network = onnx.session(model.network, os.cpu_count() or 1)
    check(network, model)
    for batch in decoded:
        yield from batch.bad
        if batch.names:
            with onnx.running(model.network):
                found = onnx.predict(network, batch.pixels)
            yield from _name_classes(batch, found, model, top_k)


def check(network: InferenceSession, model: Predictor) -> None:
    """Refuse a network that its model.json does not describe.

    Raises:
        UserError: it takes images of another size, or gives another number of classes.
    """
    takes, gives = onnx.shapes(network, model.network)
    size_px, num_classes = model.geometry.image_size_px, len(model.classes)
    if takes[1:] != [size_px, size_px, 3] or gives[1:] != [num_classes]:
        raise UserError(
            f"{escape(str(model.network))}: takes {takes} and gives {gives}; model.json says "
            f"{num_classes} classes of images of {size_px} px"
        )


def _name_classes(
    batch: Batch, probabilities: np.ndarray, model: Predictor, top_k: int
) -> Iterator[Prediction]:
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    for name, row, order in zip(batch.names, probabilities, best, strict=True):
        yield Prediction(name, tuple((model.classes[k], float(row[k])) for k in order))
