"""A real Dask cluster on loopback: a scheduler and workers, each a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import distributed
import psutil

from tests.pipeline.project import Project, wait_for
from thawline.flows import server


class Cluster:
    """Its workers have one slot each and nobody who starts them again."""

    def __init__(self, project: Project, log: Path) -> None:
        self._project, self._log = project, log
        self.address = f"tcp://{server.HOST}:{server.free_port()}"
        port = self.address.rpartition(":")[2]
        words = ("scheduler", "--host", server.HOST, "--port", port, "--no-dashboard")
        self.scheduler = self._start(*words)
        self.workers: list[subprocess.Popen[bytes]] = []

    def add_workers(self, number: int, folder: Path | None = None) -> None:
        words = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", server.HOST)
        for _ in range(number):
            self.workers.append(self._start("worker", self.address, *words, folder=folder))
        with distributed.Client(self.address, timeout=120, set_as_default=False) as client:
            client.wait_for_workers(len(self.workers), timeout=120)

    def trial_of(self, worker: subprocess.Popen[bytes]) -> Path | None:
        """The working tree in which a worker has a stage of a trial running."""
        for child in psutil.Process(worker.pid).children(recursive=True):
            try:
                if any(word.startswith("stages.") for word in child.cmdline()):
                    return Path(child.cwd())
            except psutil.Error:
                continue
        return None

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def _start(self, *words: str, folder: Path | None = None) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *words], cwd=folder or self._project.folder,
                env=self._project.env, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip


@contextmanager
def cluster(project: Project, workers: int) -> Iterator[Cluster]:
    """Started in the project's folder, as the manual says; ended with the block."""
    made = Cluster(project, project.folder.parent / "dask.log")
    try:
        made.add_workers(workers)
        yield made
    finally:
        made.end()
        wait_for(lambda: not project.left_over(), 60, f"for {project.left_over()}")
