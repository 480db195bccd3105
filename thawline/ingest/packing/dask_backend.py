"""Decode on the workers of a Dask cluster instead of processes of this machine.

A batch is a task of its own that depends on nothing but the bytes sent with it, so any worker may
take it, and another one when that worker dies. Files are read here: no worker needs the source.
The cluster is named by the environment, not by params, since no output depends on it.
"""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from thawline.errors import UserError
from thawline.ingest.decoding.preprocess import Geometry
from thawline.ingest.packing import image_cache

ADDRESS = "THAWLINE_DASK"
_CONNECT_S = 10
_LARGEST = "1GiB"
"""Size of a batch with one huge image in it, before Dask warns in the log; others are a few MB."""


class OtherCodeError(Exception):
    """Raised when a worker would decode images to other bits than this machine."""


class Engine:
    """The workers of a Dask scheduler.

    Attributes:
        slots: number of batches that they decode at a time.
    """

    def __init__(self, client: Any, address: str, geometry: Geometry) -> None:
        self._client, self._address, self._geometry = client, address, geometry
        self._made_with = made_with(geometry)
        self.slots = sum(client.nthreads().values())

    def run(self, task: Callable[..., Any], *values: object) -> Callable[[], Any]:
        """Start task(*values, geometry) on a worker that decodes to the same bits.

        Returns:
            A function that waits for the result. It raises UserError where the workers decode
            differently, or they or the scheduler are gone.
        """
        future = self._client.submit(
            _checked, task, self._made_with, *values, self._geometry, pure=False
        )

        def result() -> Any:
            try:
                return future.result()
            except OtherCodeError as error:
                raise UserError(f"{ADDRESS}: {error}") from None
            except Exception as error:  # each way in which a cluster ends raises its own
                if type(error).__module__.startswith(("distributed", "asyncio", "concurrent")):
                    raise UserError(f"{ADDRESS}: {self._address}: {_one_line(error)}") from None
                raise

        return result


@contextmanager
def connect(geometry: Geometry) -> Iterator[Engine | None]:
    """Connect to the cluster that the environment names; yield None where it names none.

    Raises:
        UserError: Dask is not installed, no scheduler answers, or it has no workers.
    """
    address = os.environ.get(ADDRESS)
    if not address:
        yield None
        return
    distributed, dask = _imported()
    with (
        dask.config.set({"distributed.admin.large-graph-warning-threshold": _LARGEST}),
        _client(distributed, address) as client,
    ):
        try:
            client.wait_for_workers(1, timeout=_CONNECT_S)
        except TimeoutError:
            raise UserError(f"{ADDRESS}: {address} has no workers") from None
        yield Engine(client, address, geometry)


@cache
def made_with(geometry: Geometry) -> str:
    """Fingerprint everything that affects decoding besides the file: code, versions, geometry."""
    return f"{image_cache.made_with(geometry)} {platform.machine()}"


def _checked(task: Callable[..., Any], expected: str, *values: Any) -> Any:
    """Run a task on a worker, after checking the worker's versions."""
    if made_with(values[-1]) != expected:
        raise OtherCodeError(
            f"the worker on {platform.node()} has other versions of Pillow, OpenCV or NumPy, or "
            "other code: the same packages and the same commit make the same bytes"
        )
    return task(*values)


def _client(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{ADDRESS}: {address!r}: no scheduler answers: {_one_line(error)}"
        ) from None


def _imported() -> tuple[Any, Any]:
    try:
        import dask
        import distributed
    except ImportError:
        raise UserError(
            f"{ADDRESS}: Dask is not installed; pip install -c constraints.txt -e '.[dask]'"
        ) from None
    return distributed, dask


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
