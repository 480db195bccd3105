"""Start and end of a process in the background that others reach by a socket."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

SOCKET = "socket"
"""Its name in the process's folder."""
_PREFIX, _HELD = "thawline-", "held"
_STARTING_S = 600.0
"""A younger folder may be of a process that is still being started."""


def start(
    module: str, words: Sequence[str], environ: Mapping[str, str], log: IO[bytes] | int
) -> tuple[subprocess.Popen[bytes], Path]:
    """Run `python -m module FD FOLDER words`; who connects waits until it accepts.

    Returns:
        The process, and a folder of its own that only its user may enter.
    """
    folder = new_folder()
    held = hold(folder)
    with os.fdopen(held), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / SOCKET))
        listener.listen()
        fd = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(fd), str(folder), *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[fd, held],  # it need not know the second: while it lives, that stays open
            env=environ,
            start_new_session=True,  # Ctrl-C is for the stage
        )
    return process, folder


def new_folder() -> Path:
    """Make a folder for a socket, and remove those of processes that were killed."""
    # Not in the project: the address of a socket has at most about a hundred characters.
    with suppress(OSError):
        _remove_left_over(Path(tempfile.gettempdir()))
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def hold(folder: Path) -> int:
    """Mark a folder as in use for as long as the descriptor is open, in a forked process too."""
    descriptor = os.open(folder / _HELD, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # a file system without locks: the folder then counts as used
        (folder / _HELD).unlink()
    return descriptor


def _remove_left_over(parent: Path) -> None:
    with os.scandir(parent) as entries:
        named = [entry for entry in entries if entry.name.startswith(_PREFIX)]
    for entry in named:
        with suppress(OSError):  # another process removes it too
            about = entry.stat(follow_symlinks=False)
            old = time.time() - about.st_mtime > _STARTING_S
            ours = entry.is_dir(follow_symlinks=False) and about.st_uid == os.getuid()
            if ours and old and not _is_held(Path(entry.path)):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_held(folder: Path) -> bool:
    """Tell whether a process uses it; a folder without the mark is ours only if it is empty."""
    try:
        descriptor = os.open(folder / _HELD, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return any(folder.iterdir())
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """SIGTERM, and nothing of it stays."""
    process.terminate()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
