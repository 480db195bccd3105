"""Provide runners for the trials of a study: threads of the flow, or Dask's workers anywhere.

Trials have the same number of threads and leave the same records, whoever runs them.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from thawline.errors import UserError
from thawline.flows import environment, trial
from thawline.runtime import workspace
from thawline.tracking import address as addresses

_HOST = "127.0.0.1"
_LOOPBACK = (_HOST, "localhost", "::1")
_CONNECT_S = 10
_HANDED_ON = (environment.API, "PREFECT_HOME", "PREFECT_SERVER_ANALYTICS_ENABLED", "DO_NOT_TRACK")


@dataclass(frozen=True, kw_only=True)
class Crew:
    """Runners of trials side by side.

    Attributes:
        slots: number of trials at a time.
        cores: processor cores of each trial.
        address: address of Dask's scheduler; None for threads.
    """

    slots: int
    cores: int
    address: str | None = None

    def runner(self) -> Any:
        """Create Prefect's task runner; this loads Prefect."""
        if self.address is None:
            from prefect.task_runners import ThreadPoolTaskRunner

            return ThreadPoolTaskRunner(max_workers=self.slots)
        from prefect_dask import DaskTaskRunner

        return DaskTaskRunner(address=self.address)


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Properties of one of Dask's workers, as it reports them.

    Attributes:
        cores: processor cores that it may use.
        shares: True where the project's folder is ours, by a file that we made in it.
    """

    host: str
    root: str
    cores: int
    shares: bool


@contextmanager
def threads(workers: int) -> Iterator[Crew]:
    """Provide threads of this process."""
    yield Crew(slots=workers, cores=max(1, _cores() // workers))


@contextmanager
def dask(workers: int) -> Iterator[Crew]:
    """Provide worker processes on this machine, one per trial; one that dies is replaced.

    Raises:
        UserError: Dask is not installed.
    """
    distributed = _distributed("--runner dask")
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, host=_HOST, dashboard_address=None
        ) as cluster,
        connected(cluster.scheduler_address, {}) as crew,
    ):
        yield crew


@contextmanager
def connected(address: str, stores: Mapping[str, str]) -> Iterator[Crew]:
    """Provide the workers of an existing Dask scheduler.

    Args:
        address: address of the scheduler.
        stores: option -> address of a store that all trials write to.

    Raises:
        UserError: no scheduler, no workers, one that works in another folder, or stores that
            workers on other machines cannot share.
    """
    distributed = _distributed("--address")
    with _client(distributed, address) as client:
        workers = _workers(client, address)
        check(address, list(workers.values()), stores)
        slots = client.nthreads()
        client.register_plugin(_prepared())
        try:
            yield Crew(slots=sum(slots.values()), cores=fair(workers, slots), address=address)
        finally:
            client.run(trial.stop)  # Dask itself ends nothing that has begun
            client.unregister_worker_plugin(_prepared().name)


def about(mark: str) -> Worker:
    """Describe the worker that this runs on."""
    return Worker(
        host=socket.gethostname(),
        root=str(workspace.root()),
        cores=_cores(),
        shares=Path(mark).is_file() and Path(mark).is_relative_to(workspace.scratch()),
    )


def check(address: str, workers: Sequence[Worker], stores: Mapping[str, str]) -> None:
    """Check that workers share the project and its stores; see `connected`.

    Raises:
        UserError: trials on these workers would not be ours.
    """
    if not workers:
        raise UserError(f"--address: {address} has no workers; start some in {workspace.root()}")
    for worker in workers:
        if not worker.shares:
            raise UserError(
                f"--address: a worker on {worker.host} works in {worker.root}; start it in "
                f"{workspace.root()}, which all machines have to share"
            )
    elsewhere = {worker.host for worker in workers} - {socket.gethostname()}
    for option, store in stores.items():
        if elsewhere and (addresses.is_sqlite(store) or urlsplit(store).hostname in _LOOPBACK):
            raise UserError(
                f"{option}: {addresses.shown(store)} cannot be reached from "
                f"{sorted(elsewhere)[0]}; name a server that can"
            )


def fair(workers: Mapping[str, Worker], slots: Mapping[str, int]) -> int:
    """Compute the cores of each trial: equal everywhere, since threads change a trial's result.

    Args:
        workers: workers by address.
        slots: trials at a time, by the same addresses.
    """
    used: dict[str, int] = {}
    for name, worker in workers.items():
        used[worker.host] = used.get(worker.host, 0) + slots[name]
    return max(1, min(worker.cores // used[worker.host] for worker in workers.values()))


def _prepared() -> Any:
    from thawline.flows.dask_worker import Prepared

    named = {key: value for key, value in os.environ.items() if key.startswith(_HANDED_ON)}
    return Prepared(named, str(workspace.root()))


def _workers(client: Any, address: str) -> dict[str, Worker]:
    folder = workspace.scratch()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="crew-") as mark:
        try:
            found: dict[str, Worker] = client.run(about, mark.name)
        except ImportError as error:
            raise UserError(
                f"--address: a worker of {address} cannot load this project ({error}); start it in "
                f"{workspace.root()}"
            ) from None
    return found


def _client(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"--address: {address!r}: no scheduler answers: {reason}") from None


def _distributed(option: str) -> Any:
    try:
        import distributed
        import prefect_dask  # noqa: F401
    except ImportError:
        raise UserError(
            f"{option}: Dask is not installed; pip install -c constraints.txt -e '.[dask]'"
        ) from None
    return distributed


def _cores() -> int:
    linux = sys.platform == "linux"
    return len(os.sched_getaffinity(0)) if linux else os.cpu_count() or 1
