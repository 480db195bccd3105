"""`thawline ui`: MLflow's pages on loopback, over the project's own store."""

import os
import signal
import socket
import subprocess
import sys

from thawline.errors import UserError
from thawline.tracking import address

_HOST = "127.0.0.1"


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
    # Its own process group, ended by _stop: a plain SIGTERM would leave the server running.
    signal.signal(signal.SIGTERM, lambda signum, _: sys.exit(128 + signum))
    process = subprocess.Popen(command(uri, port), env=environment(), start_new_session=True)
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(process)


def command(uri: str, port: int) -> list[str]:
    """The server's command line; one worker, since SQLite has one writer."""
    return [
        sys.executable, "-m", "mlflow", "server", "--host", _HOST, "--port", str(port),
        "--backend-store-uri", uri, "--artifacts-destination", address.artifacts().as_uri(),
        "--workers", "1",
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """Without the variables that would point the server at itself or at a run."""
    dropped = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return kept | {"MLFLOW_DISABLE_TELEMETRY": "true"}


def check_free(port: int) -> None:
    """Raises UserError where something listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            raise UserError(f"port {port}: {error}; choose another with --port") from None


def _stop(process: subprocess.Popen[bytes]) -> None:
    for signum in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, signum)
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            continue
