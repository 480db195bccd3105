"""`thawline ui`: MLflow's pages on loopback, over the project's own store.

`python -m thawline.tracking.server URI PORT` is MLflow's server with all that it starts, which ends
when whoever began it does, `kill -9` included: MLflow alone leaves processes behind then.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from thawline.errors import UserError
from thawline.runtime import locks
from thawline.tracking import address

MODULE = "thawline.tracking.server"
_HOST = "127.0.0.1"
_GRACE_S, _INNER_GRACE_S = 3.0, 1.0
"""Between SIGTERM and SIGKILL; the inner one must be done with it before it gets its own."""


def ui(port: int = 5000) -> int:
    """Serve until Ctrl-C; prints the address first.

    Raises:
        UserError: the port is taken, or MLFLOW_TRACKING_URI is a server that runs already.
    """
    uri = address.uri()
    if address.is_server(uri):
        print(f"MLflow runs at {address.shown(uri)}")
        return 0
    check_free(port)
    print(f"MLflow: http://{_HOST}:{port} (Ctrl-C ends it)", flush=True)
    words = [sys.executable, "-m", MODULE, uri, str(port)]
    return _serve(words, _GRACE_S, locks.die_with_parent)


def watched(uri: str, port: int) -> int:
    """Serve until SIGTERM, which whoever starts this arranges for its own death too.

    Returns:
        MLflow's exit code.
    """
    return _serve(command(uri, port), _INNER_GRACE_S)


def _serve(words: Sequence[str], grace_s: float, before: Callable[[], None] | None = None) -> int:
    """Run the words in a process group of their own, and end all of it with ourselves.

    Args:
        words: the command.
        grace_s: between SIGTERM and SIGKILL.
        before: called in the new process; there is no thread yet, so it is safe.
    """
    signal.signal(signal.SIGTERM, _leave)
    process = subprocess.Popen(words, env=environment(), start_new_session=True, preexec_fn=before)
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(process, grace_s)


def _leave(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    sys.exit(128 + signum)


def command(uri: str, port: int) -> list[str]:
    """Build the server's command line; one worker, since SQLite has one writer."""
    return [
        sys.executable, "-m", "mlflow", "server", "--host", _HOST, "--port", str(port),
        "--backend-store-uri", uri, "--artifacts-destination", address.artifacts().as_uri(),
        "--workers", "1",
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """Without the variables that would point the server at itself or at a run."""
    dropped = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    # Jobs are of evaluations of language models; they would be seven processes beside the server.
    return kept | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def check_free(port: int) -> None:
    """Refuse a port on which something listens already, by UserError."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            raise UserError(f"port {port}: {error}; choose another with --port") from None


def _stop(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """End the group; what the process itself leaves in it at its end too."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=grace_s)


if __name__ == "__main__":
    sys.exit(watched(sys.argv[1], int(sys.argv[2])))
