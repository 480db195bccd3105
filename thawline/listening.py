"""Start and end of a process in the background that others reach by a socket."""

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

SOCKET = "socket"
"""Its name in the process's folder."""


def start(
    module: str, words: Sequence[str], environ: Mapping[str, str], log: IO[bytes] | int
) -> tuple[subprocess.Popen[bytes], Path]:
    """Run `python -m module FD FOLDER words`; who connects waits until it accepts.

    Returns:
        The process, and a folder of its own that only its user may enter.
    """
    # Not in the project: the address of a socket has at most about a hundred characters.
    folder = Path(tempfile.mkdtemp(prefix="thawline-"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / SOCKET))
        listener.listen()
        fd = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(fd), str(folder), *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[fd],
            env=environ,
            start_new_session=True,  # Ctrl-C is for the stage
        )
    return process, folder


def end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """SIGTERM, and nothing of it stays."""
    process.terminate()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
