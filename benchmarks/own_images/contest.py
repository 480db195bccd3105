"""Time a tool on one image set: seconds and test accuracy as it trains, then its predictions.

Needs NumPy alone, so that any tool's environment can import it.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.peers.task import Task, given, hand_in

BEGAN = "OWN_IMAGES_BEGAN"
"""Environment variable: when the tool's process was started, as time.time() has it."""


class Clock:
    """Count seconds from the start of the process, imports and reading of files included.

    What only looks at the test images is not counted: no tool needs it to train.
    """

    def __init__(self, labels: np.ndarray) -> None:
        self._began = float(os.environ.get(BEGAN, time.time()))
        self._labels = labels
        self._not_counted = 0.0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Count nothing of what happens within."""
        began = time.time()
        try:
            yield
        finally:
            self._not_counted += time.time() - began

    def seconds(self) -> float:
        """Return what has been counted so far."""
        return time.time() - self._began - self._not_counted

    def point(self, predicted: np.ndarray, seconds: float | None = None) -> None:
        """Print seconds and test accuracy as a line of JSON.

        Args:
            predicted: class of each test image in the order of `task.files`, int64 (N,).
            seconds: when it could say so; now if None.
        """
        accuracy = float((predicted == self._labels).mean())
        self.accuracy(accuracy, self.seconds() if seconds is None else seconds)

    def accuracy(self, accuracy: float, seconds: float) -> None:
        """Print a point whose test accuracy is known."""
        print(json.dumps({"seconds": round(seconds, 2), "accuracy": accuracy}), flush=True)


def due(epoch: int, epochs: int) -> bool:
    """Choose the epochs, counted from 1, that are looked at: 1, 2, 4, 8, ... and the last."""
    return epoch == epochs or epoch & (epoch - 1) == 0


def main(doc: str | None, race: Callable[[Task, Clock], np.ndarray]) -> None:
    """Run one tool on the task of the command line.

    Args:
        race: trains, prints points by the clock, returns the class of each test image.
    """
    task = given(doc)
    clock = Clock(np.array([label for _, label in task.files("test")], np.int64))
    hand_in(task, race(task, clock))
