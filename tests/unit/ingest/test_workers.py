"""Processes that decode: what they are given comes back, and one that dies is told at once."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tests import colours
from thawline.errors import ChildDiedError
from thawline.ingest.packing.workers import Workers
from thawline.prediction import decoding

PROGRAM = """\
import signal, sys
from thawline.ingest.packing.workers import Workers
from tests.unit.ingest.test_workers import sleep
def leave(*_): sys.exit(1)
for number in (signal.SIGTERM, signal.SIGHUP): signal.signal(number, leave)
pool = Workers(2)
futures = [pool.submit(sleep, 2) for _ in range(99)]
print("begun", flush=True)
futures[0].result()
"""
WITHIN_S = 5.0


def twice(values: np.ndarray) -> np.ndarray:
    return 2 * values


def refuse(value: int) -> None:
    raise ValueError(value)


def unpicklable() -> object:
    return lambda: None


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def end(number: int) -> None:
    time.sleep(0.3)
    os.kill(os.getpid(), number)


def big_then_die(number: int) -> bytes:
    return bytes(2**24 if number else 2**26)


def test_results_are_those_of_their_tasks() -> None:
    """Larger than a pipe holds, both ways."""
    pool = Workers(2)
    values = [np.full(300_000, index) for index in range(12)]
    futures = [pool.submit(twice, value) for value in values]
    for value, future in zip(values, futures, strict=True):
        assert np.array_equal(future.result(), 2 * value)
    pool.shutdown()


def test_errors_are_those_of_their_tasks() -> None:
    pool = Workers(1)
    futures = [pool.submit(refuse, 1), pool.submit(unpicklable), pool.submit(twice, lambda: None)]
    after = pool.submit(twice, np.ones(1))
    with pytest.raises(ValueError, match=r"^1$"):
        futures[0].result()
    for future in futures[1:]:
        with pytest.raises(Exception, match="pickle"):
            future.result()
    assert after.result() == 2
    pool.shutdown()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR1, signal.SIGTERM])
def test_a_process_that_dies(number: int) -> None:
    pool = Workers(2)
    futures = [pool.submit(end, number), *(pool.submit(sleep, 60) for _ in range(5))]
    began = time.monotonic()
    for future in futures:
        with pytest.raises(ChildDiedError, match=signal.Signals(number).name):
            future.result()
    with pytest.raises(ChildDiedError):
        pool.submit(sleep, 0).result()
    pool.shutdown(cancel_futures=True)
    assert time.monotonic() - began < WITHIN_S
    assert not psutil.Process().children()


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.03])
def test_killed_while_it_hands_over(delay_s: float) -> None:
    """A result of which half has come."""
    pool = Workers(1)
    future = pool.submit(big_then_die, 0)
    (process,) = psutil.Process().children()
    time.sleep(delay_s)
    process.kill()
    began = time.monotonic()
    with suppress(ChildDiedError):
        future.result(timeout=WITHIN_S)
    pool.shutdown(cancel_futures=True)
    assert time.monotonic() - began < WITHIN_S


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_stays_when_the_parent_ends(number: int) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, env=os.environ, text=True
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "begun\n"
    children = psutil.Process(program.pid).children()
    assert len(children) == 2
    if number == signal.SIGTERM:  # of the workers, which have not inherited the handler
        for child in children:
            child.terminate()
    else:
        program.kill()
    _, alive = psutil.wait_procs([psutil.Process(program.pid), *children], timeout=WITHIN_S)
    program.communicate()
    assert not alive


def test_prediction_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
    for index in range(decoding._POOL_FROM + 72):
        Image.fromarray(pixels).save(folder / f"{index}.png", compress_level=1)
    model = colours.write(tmp_path / "model")
    command = [sys.executable, "-m", "thawline.cli", "predict", str(folder), "--model", str(model)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not (workers := psutil.Process(process.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers[0].kill()
    began = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode == ChildDiedError.exit_code
    assert errors.splitlines()[-1].startswith("thawline: a process that decodes images was killed")
    assert "Traceback" not in errors
