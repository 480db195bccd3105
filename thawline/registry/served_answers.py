"""Control the answers of MLflow's server: predictions, or a message of our own.

By itself it answers a mistake with the request, images and all, or with a stack trace and the paths
in it, and reads CSV and Parquet too. Goes with the served model under the name `thawline_answers`.
"""

import ctypes
import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE
from mlflow.pyfunc import scoring_server

_SERVED = "__pyfunc_model_path__"
"""Set in the environment of MLflow's server, and nowhere else."""
_JSON = "application/json"
_ALIKE = ("", "charset=utf-8", 'charset="utf-8"')
_EXPECTED = 'a JSON object such as {"inputs": ["<base64 text of an image file>"]} is expected'
_MMAP_THRESHOLD = -3
"""Option M_MMAP_THRESHOLD of mallopt, as in malloc.h."""
_RETURNED_BYTES = 4 * 2**20

_log = logging.getLogger("thawline")


class Refusal(MlflowException):  # type: ignore[misc]
    """Raised for a request that cannot be answered as it is: 400.

    Keeps the message it has: MLflow's server would put the whole request before it, images and all.
    """

    code = INVALID_PARAMETER_VALUE

    def __init__(self, message: str) -> None:
        super().__init__(message, error_code=self.code)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "message" or "message" not in self.__dict__:
            super().__setattr__(name, value)


class Failure(Refusal):
    """Raised for a fault of ours: 500; the details are in the server's log alone."""

    code = INTERNAL_ERROR


def install() -> None:
    """Replace the answers of MLflow's server by ours, and give memory back to the system.

    Raises:
        RuntimeError: this is another MLflow than the model is made for.
    """
    if _SERVED not in os.environ:
        return
    if not callable(getattr(scoring_server, "invocations", None)):
        raise RuntimeError("another MLflow than the one in the model's requirements.txt")
    if getattr(scoring_server.invocations, "__module__", "") != __name__:
        scoring_server.invocations = _answering(scoring_server.invocations)
        _return_large_blocks()


def trim() -> None:
    """Return freed memory to the system, where the C library can."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _answering(invocations: Callable[..., Any]) -> Callable[..., Any]:
    def answer(data: bytes, content_type: str | None, model: Any, input_schema: Any) -> Any:
        if not _is_json(content_type):
            return _response(415, "UNSUPPORTED_MEDIA_TYPE", f"send Content-Type: {_JSON}")
        try:
            return invocations(_parsed(data), _JSON, model, input_schema)
        except Refusal as error:
            return _response(error.get_http_status_code(), error.error_code, str(error.message))
        except Exception as error:  # MLflow's own: its words repeat the request
            _log.warning("refused a request: %s", type(error).__name__)
            return _response(400, "BAD_REQUEST", _EXPECTED)

    answer.__module__ = __name__
    return answer


def _is_json(content_type: str | None) -> bool:
    kind, *parameters = (part.strip().lower() for part in (content_type or "").split(";"))
    return kind == _JSON and all(parameter in _ALIKE for parameter in parameters)


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise Refusal(f"this is no JSON; {_EXPECTED}") from None
    if not isinstance(found, dict):
        raise Refusal(_EXPECTED)
    return found


def _response(status: int, code: str, message: str) -> Any:
    text = json.dumps({"error_code": code, "message": message})
    return scoring_server.InvocationsResponse(response=text, status=status, mimetype=_JSON)


def _return_large_blocks() -> None:
    """Make the C library return large freed blocks to the system.

    Threads free what they decoded into heaps that the C library keeps.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _RETURNED_BYTES)
