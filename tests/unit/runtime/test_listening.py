"""What processes reached by a socket leave in the temporary folder: nothing, in the end."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from thawline.runtime import listening

SLEEPS = "import sys, time; print(1, flush=True); time.sleep(60)"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "sleeper.py").write_text("import time; time.sleep(60)")
    return tmp_path


def age(folder: Path) -> None:
    """As if it had been made an hour ago."""
    then = time.time() - 3600
    os.utime(folder, (then, then))


def started(folder: Path) -> tuple[subprocess.Popen[bytes], Path]:
    environ = os.environ | {"PYTHONPATH": str(folder)}
    return listening.start("sleeper", [], environ, subprocess.DEVNULL)


def test_the_next_start_removes_what_a_killed_process_left(temporary: Path) -> None:
    killed, left = started(temporary)
    running, used = started(temporary)
    assert (left / listening.SOCKET).is_socket()
    killed.kill()
    killed.wait()
    for folder in (left, used):
        age(folder)
    third, new = started(temporary)
    assert not left.exists()
    assert (used / listening.SOCKET).is_socket()
    for process, folder in ((running, used), (third, new)):
        listening.end(process, folder)
    assert not list(temporary.glob("thawline-*"))


def test_a_fork_keeps_the_folder(temporary: Path) -> None:
    """A stage that outlives the process it was forked from."""
    folder = listening.new_folder()
    held = listening.hold(folder)
    other = subprocess.Popen([sys.executable, "-c", SLEEPS], pass_fds=[held])
    os.close(held)
    age(folder)
    listening.new_folder()
    assert folder.is_dir()
    other.kill()
    other.wait()
    age(folder)
    listening.new_folder()
    assert not folder.exists()


def test_others_and_what_is_new_stay(temporary: Path) -> None:
    theirs = temporary / "thawline-theirs"  # with a socket, of no process that marks its folder
    theirs.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(theirs / "host"))
    empty, new, link = (temporary / f"thawline-{name}" for name in ("empty", "new", "link"))
    empty.mkdir()
    new.mkdir()
    os.close(listening.hold(new))
    link.symlink_to(temporary / "elsewhere")
    file = temporary / "thawline-measure-1000.lock"
    file.touch()
    for path in (theirs, empty, file):
        age(path)
    made = listening.new_folder()
    assert sorted(temporary.glob("thawline-*")) == sorted([theirs, new, link, file, made])
