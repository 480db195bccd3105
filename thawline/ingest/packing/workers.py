"""Run worker processes that are watched: one that dies is reported within a second.

`concurrent.futures` has processes share a lock and a pipe. One that is killed while it holds them
leaves the others, and who waits for a result, waiting for ever.
"""

import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from thawline.errors import ChildDiedError

T = TypeVar("T")
_AHEAD = 2
"""Tasks that a process is given at a time, so that it need not wait for the next."""
_END_S = 5.0
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_Task = tuple[Future[Any], Callable[..., Any], tuple[object, ...]]


class Workers:
    """An executor of processes, each with a pipe of its own.

    Tasks are begun in the order in which they are submitted. All processes are started by the
    constructor, before any thread of this object.
    """

    def __init__(
        self,
        processes: int,
        initializer: Callable[..., None] | None = None,
        initargs: tuple[object, ...] = (),
    ) -> None:
        """Start the processes.

        Args:
            processes: number of processes.
            initializer: called with initargs once in each process.
            initargs: arguments of the initializer.
        """
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._open: set[Future[Any]] = set()
        self._died: ChildDiedError | None = None
        self._closing = False
        self._processes: list[BaseProcess] = []
        self._pipes: list[Connection] = []
        for _ in range(processes):
            ours, theirs = multiprocessing.Pipe()
            self._pipes.append(ours)
            # A fork has the ends of all pipes so far; a process sees that we are gone when the
            # last other copy of our end is closed.
            process = multiprocessing.Process(
                target=_serve, args=(theirs, self._pipes, initializer, initargs), daemon=True
            )
            process.start()
            theirs.close()
            self._processes.append(process)
        self._room = [threading.Semaphore(_AHEAD) for _ in self._processes]
        self._threads = [
            threading.Thread(target=act, args=(number, sent), daemon=True)
            for number in range(processes)
            for sent in [queue.SimpleQueue[Future[Any]]()]
            for act in (self._give, self._take)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Callable[..., T], *values: object) -> "Future[T]":
        """Call task(*values) in a process; task, values and result must be picklable.

        Returns:
            A future, whose result raises what the task raised, or ChildDiedError.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._died is None:
                self._open.add(future)
                self._tasks.put((future, task, values))
                return future
        future.set_exception(self._died)
        return future

    def shutdown(self, *, cancel_futures: bool = False) -> None:
        """End the processes; tasks under way are abandoned.

        Args:
            cancel_futures: True allows unfinished tasks; without it all have to be done.
        """
        assert cancel_futures or not self._open
        self._closing = True
        for process, room in zip(self._processes, self._room, strict=True):
            self._tasks.put(None)
            room.release()
            process.terminate()
        for process in self._processes:
            process.join(_END_S)
            if process.is_alive():
                process.kill()
                process.join()
        for thread in self._threads:
            thread.join(_END_S)
        for pipe in self._pipes:
            pipe.close()

    def _give(self, number: int, sent: "queue.SimpleQueue[Future[Any]]") -> None:
        pipe, room = self._pipes[number], self._room[number]
        while True:
            room.acquire()
            task = self._tasks.get()
            if task is None or self._closing:
                return
            future, call, values = task
            sent.put(future)
            try:
                pipe.send((call, values))
            except OSError:  # what takes results finds out why
                return
            except Exception as error:  # a value that cannot be pickled
                self._settle(future, error=error)
                room.release()

    def _take(self, number: int, sent: "queue.SimpleQueue[Future[Any]]") -> None:
        pipe, room = self._pipes[number], self._room[number]
        while True:
            try:
                ended_well, result = pipe.recv()
            except (EOFError, OSError):
                if not self._closing:
                    self._lose(self._processes[number])
                return
            except Exception as error:  # a result that cannot be made again here
                ended_well, result = False, error
            future = sent.get()
            while future.done():  # never sent
                future = sent.get()
            if ended_well:
                self._settle(future, result)
            else:
                self._settle(future, error=result)
            room.release()

    def _settle(
        self, future: Future[Any], result: object = None, error: BaseException | None = None
    ) -> None:
        with self._lock:
            if future not in self._open:
                return
            self._open.discard(future)
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def _lose(self, process: BaseProcess) -> None:
        process.join(_END_S)  # its pipe is closed a moment before it has ended
        died = ChildDiedError.from_exit_code("a process that decodes images", process.exitcode)
        with self._lock:
            self._died = self._died or died
            left, self._open = self._open, set()
        for future in left:
            future.set_exception(died)


def _serve(
    pipe: Connection,
    others: list[Connection],
    initializer: Callable[..., None] | None,
    initargs: tuple[object, ...],
) -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)  # a stage's handler would only raise, and be ignored
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: who started us ends us
    for other in others:
        other.close()
    if initializer is not None:
        initializer(*initargs)
    while True:
        try:
            call, values = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            reply: tuple[bool, object] = (True, call(*values))
        except Exception as error:
            reply = (False, error)
        try:
            pipe.send(reply)
        except OSError:
            return
        except Exception as error:  # what cannot be pickled
            pipe.send((False, RuntimeError(f"{type(error).__name__}: {error}")))
