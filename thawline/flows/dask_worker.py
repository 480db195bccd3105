"""Prepare Dask's workers for trials, also those that join later."""

import os
from collections.abc import Mapping

import distributed

from thawline.flows import trial
from thawline.ingest.packing import dask_backend
from thawline.runtime import workspace


class Prepared(distributed.WorkerPlugin):  # type: ignore[misc]
    """Dask plugin that sets the environment before Prefect is loaded, which reads it once.

    Args:
        environment: variables that are added to the worker's.
        root: the project; a worker in another folder is refused.
    """

    name = "thawline"

    def __init__(self, environment: Mapping[str, str], root: str) -> None:
        self._environment, self._root = dict(environment), root

    def setup(self, worker: object) -> None:  # noqa: ARG002
        os.environ.update(self._environment)
        # A trial fills its worker: packing on the same cluster would wait for it for ever.
        os.environ.pop(dask_backend.ADDRESS, None)
        trial.begin()
        if str(workspace.root()) != self._root:
            raise RuntimeError(f"works in {workspace.root()}, not in {self._root}")
