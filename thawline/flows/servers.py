"""Start MLflow's and Prefect's servers on loopback, over the project's own stores."""

import signal
import subprocess
import sys
import time
from types import FrameType
from typing import NoReturn

from thawline.errors import UserError
from thawline.flows import environment, processes, server
from thawline.tracking import address
from thawline.tracking import server as mlflow_server

PORTS = {"mlflow": 5000, "prefect": 4200}


def main() -> int:
    """Serve both until Ctrl-C or SIGTERM; return 1 when one of them ends by itself."""
    signal.signal(signal.SIGTERM, _interrupt)
    mlflow = prefect = None
    try:
        environment.prepare()
        for port in PORTS.values():
            mlflow_server.check_free(port)
        mlflow = _mlflow()
        prefect = server.Server(PORTS["prefect"], lasting=True)
        prefect.wait()
        _tell(prefect)
        while mlflow.poll() is None and prefect.process.poll() is None:
            time.sleep(0.5)
        print("a server has ended", file=sys.stderr)
        return 1
    except UserError as error:
        print(f"thawline: {error}", file=sys.stderr)
        return UserError.exit_code
    except KeyboardInterrupt:
        return 0
    finally:
        if prefect is not None:
            prefect.end()
        if mlflow is not None:
            processes.end(mlflow, grace_s=2.0)


def _mlflow() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        processes.python(mlflow_server.MODULE, address.uri(), str(PORTS["mlflow"])),
        env=mlflow_server.environment(),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _tell(prefect: server.Server) -> None:
    pages = f"http://{server.HOST}:{PORTS['mlflow']}"
    print(f"MLflow:  {pages}\nPrefect: {prefect.api.removesuffix('/api')}")
    print("In another terminal, to use them:")
    print(f"  export MLFLOW_TRACKING_URI={pages} {environment.API}={prefect.api}", flush=True)


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
