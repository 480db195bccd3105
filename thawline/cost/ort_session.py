"""Run an exported network through ONNX Runtime; nothing here imports PyTorch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from thawline.errors import UserError
from thawline.runtime.escape import escape

INPUT, OUTPUT = "images", "probabilities"
INT8_FILE = "model_int8.onnx"
"""Name of the int8 file beside model.onnx, where `compress` kept one."""


def session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the CPU.

    Idle threads sleep instead of spinning: spinning ones answer a little sooner but keep every core
    busy between two calls, which spoils whatever else runs or is measured on the machine.

    Raises:
        UserError: the file is missing or is no ONNX network.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:  # ONNX Runtime raises a different private class per kind of damage
        raise _refusal(path, error) from error


def shapes(network: onnxruntime.InferenceSession, path: Path) -> tuple[list[Any], list[Any]]:
    """Return the shapes of the first input and output, with names for sizes that vary.

    `path` is named in messages.

    Raises:
        UserError: the network has none, or their names are no text.
    """
    try:
        return network.get_inputs()[0].shape, network.get_outputs()[0].shape
    except (IndexError, UnicodeDecodeError) as error:
        raise _refusal(path, error) from None


@contextmanager
def running(path: Path) -> Iterator[None]:
    """Turn errors into a message while a network that somebody else may have made is run.

    Raises:
        UserError: ONNX Runtime cannot run it.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # likewise
        raise _refusal(path, error) from error


def _refusal(path: Path, error: Exception) -> UserError:
    problem = escape(" ".join(str(error).split()), 300)
    runs = f"not a network that ONNX Runtime {onnxruntime.__version__} runs"
    return UserError(f"{path}: {runs}: {problem}")


def predict(
    network: onnxruntime.InferenceSession, images: NDArray[np.uint8], *, batch_size: int = 64
) -> NDArray[np.float32]:
    """Predict class probabilities of images, uint8 (N, S, S, 3), RGB, batch by batch.

    Returns:
        float32 (N, K), rows summing to 1; (0, K) without images.
    """
    starts = range(0, max(len(images), 1), batch_size)
    parts = [network.run([OUTPUT], {INPUT: images[i : i + batch_size]})[0] for i in starts]
    return np.concatenate(parts)
