"""What a stage hands to the process that forks it, and when the two do not fit."""

import json
import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repo.code_graph import ROOT
from thawline.pipeline.forkserver import client, preload, protocol
from thawline.pipeline.forkserver.request import ProcessRequest, surroundings


def _descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def _order() -> ProcessRequest:
    return ProcessRequest(
        module="stages.ingest", argv=["a"], orig_argv=["python", "a"], path=["/"], cwd="/",
        environ={"NAME": os.fsdecode(b"\xff not of any encoding")}, umask=0o22, interruptible=True,
        encoding="utf-8", errors="strict", surroundings=surroundings(),
    )  # fmt: skip


def test_an_order_arrives_whole_with_its_streams(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    order = _order()
    with (tmp_path / "out").open("w") as file:
        protocol.send(pair[0], order.dump(), [0, file.fileno(), 2])
        text, fds = protocol.receive(pair[1])
    assert ProcessRequest.load(text) == order
    os.write(fds[1], b"said by the other")
    for fd in fds:
        os.close(fd)
    assert (tmp_path / "out").read_text() == "said by the other"


@pytest.mark.parametrize(
    "sent", [b"", b"\0\0", struct.pack("!Q", 9) + b"cut off", struct.pack("!Q", 1 << 60)]
)
def test_what_is_no_order_is_refused_and_leaves_nothing_open(
    pair: tuple[socket.socket, socket.socket], sent: bytes
) -> None:
    before = _descriptors()
    if sent:
        socket.send_fds(pair[0], [sent], [0, 1, 2])
    pair[0].shutdown(socket.SHUT_WR)
    with pytest.raises((OSError, ValueError)):
        protocol.receive(pair[1])
    assert _descriptors() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_hand_over_that_is_cut_leaves_the_stage_its_signals(number: int) -> None:
    """Between the answer and the last word; the stage runs by itself then."""
    heard: list[int] = []
    before = signal.signal(number, lambda signum, _: heard.append(signum))
    try:
        ours, theirs = socket.socketpair()
        theirs.close()
        with ours, pytest.raises(OSError, match="pipe"):
            client._stand_in(ours)
        os.kill(os.getpid(), number)
        assert heard == [number]
    finally:
        signal.signal(number, before)


def test_a_lost_connection_is_no_status(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].shutdown(socket.SHUT_WR)
    assert protocol.wait(pair[1]) is None


def test_variables_that_libraries_read_make_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    before = surroundings()
    for name in ("DVC_STAGE", "MLFLOW_RUN_ID", "THAWLINE_EXECUTION", "OLDPWD"):
        monkeypatch.setenv(name, "another")
    assert surroundings() == before
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert surroundings() != before


@pytest.mark.parametrize("shell", ["bash", "dash", "fish", "sh", "zsh"])
def test_the_shell_between_dvc_and_a_stage_makes_none(shell: str) -> None:
    """A study's process is started without it, by a person whose prompt is exported."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    code = (
        f"import json; from {surroundings.__module__} import surroundings; "
        "print(json.dumps(surroundings()))"
    )
    environ = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/", "OMP_NUM_THREADS": "3",
        "PS1": "(.venv) $ ", "PS2": "> ", "IFS": " ", "no-name": "1", "BASH_FUNC_f%%": "() { :\n}",
    }  # fmt: skip
    command = [sys.executable, "-c", code]
    found = [
        json.loads(subprocess.check_output(words, env=environ))
        for words in (command, [shell, "-c", shlex.join(command)])
    ]
    assert found[0]["environ"]["OMP_NUM_THREADS"] == "3"
    assert found[1] == found[0]


def test_a_program_that_is_examined_is_not_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ProcessRequest.of_this_process({}, "stages.ingest") is not None
    monkeypatch.setattr(sys, "_xoptions", {"importtime": True})
    assert ProcessRequest.of_this_process({}, "stages.ingest") is None


def test_every_stage_has_its_libraries_and_all_of_them_are_ours_to_use() -> None:
    """A list that is not kept up costs time only, which nobody would notice."""
    stages = [path.stem for path in ROOT.glob("stages/[a-z]*.py")]
    assert sorted(preload.LIBRARIES) == sorted(stages)
    code = "\n".join(path.read_text() for path in ROOT.glob("thawline/**/*.py"))
    for module in {name for names in preload.LIBRARIES.values() for name in names}:
        assert module.partition(".")[0] in code
        __import__(module)
